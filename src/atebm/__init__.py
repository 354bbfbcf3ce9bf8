"""Learning energy-based models with adversarial training: the method, its samplers, metrics, figures and tables."""
