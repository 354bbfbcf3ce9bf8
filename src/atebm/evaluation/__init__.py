"""Features -> statistics -> number; only `features` needs torch."""
