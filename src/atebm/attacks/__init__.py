"""Attacks on a logit."""
