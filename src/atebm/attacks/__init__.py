"""Attacks on a logit. config/detection.py declares those for detection, and names their functions here."""
