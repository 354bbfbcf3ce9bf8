"""Public archives: where their files come from, and how they are fetched, verified and read."""
