"""Trace every number to its origin: what exists, whether it is intact, and where each setting comes from.

No torch: these commands also work on a login node.
"""
