"""Maintain the checkout itself: doctor, documentation, conda environments."""
