"""Networks, their weights, and the energy that a network defines."""
