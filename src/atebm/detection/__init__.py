"""Out-of-distribution detection: attacks on images, scores and AUROC."""
