"""Public archives: where their files come from, fetching, verifying and reading members."""
