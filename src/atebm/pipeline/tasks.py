"""Name the runs that artifacts, tables of settings and claims share, as in config.yaml."""

TASKS_256 = ("celebahq256", "afhqcat256", "church256")
PAPER_TASKS = ("cifar10", *TASKS_256)  # their runs and samplers have the same names
STABILITY = ("cifar10_max_likelihood", "cifar10_binary_at", "cifar10_max_likelihood_small_lr")  # Sec. 5.3
