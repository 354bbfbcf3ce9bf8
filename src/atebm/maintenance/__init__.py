"""Tools for the checkout itself: doctor, documentation, conda environments."""
