"""The commands of `atebm`, one module per group in its help.

Heavy imports belong inside the functions, so that --help and completion start at once.
"""
