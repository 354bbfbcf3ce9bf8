"""Evaluation of images: from features to statistics to numbers; only `features` needs torch."""
