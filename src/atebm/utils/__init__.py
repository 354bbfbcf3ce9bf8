"""Provide tools for all other packages: files, errors, hashing, progress. They know nothing about the paper."""
