"""Sample from trained models: PGD from source images."""
