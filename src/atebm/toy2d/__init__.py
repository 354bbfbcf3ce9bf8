"""Simulate Algorithms 1 and 3 in the plane."""
