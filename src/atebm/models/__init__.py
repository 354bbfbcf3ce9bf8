"""Define networks, their weights, and the energy that a network gives."""
