"""Runs that artifacts, tables of settings and claims have in common, by their names in config.yaml."""

TASKS_256 = ("celebahq256", "afhqcat256", "church256")
PAPER_TASKS = ("cifar10", *TASKS_256)  # their runs and samplers have the same names
STABILITY = ("cifar10_max_likelihood", "cifar10_binary_at", "cifar10_max_likelihood_small_lr")  # Sec. 5.3
