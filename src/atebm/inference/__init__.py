"""Use trained models on your images: the Python API, `apply` and `score`."""
