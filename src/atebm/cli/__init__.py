"""The verbs of `atebm`, a module for each group that its help shows. Heavy imports belong into the functions: --help
and completion must start at once."""
