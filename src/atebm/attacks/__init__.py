"""Attacks on a logit. Those of detection are declared in config/detection.py, which names their function here."""
