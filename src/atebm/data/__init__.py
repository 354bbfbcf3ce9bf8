"""Image sets: from archives, folders and packages to uint8 arrays and training batches."""
