"""Sampling: PGD from source images."""
