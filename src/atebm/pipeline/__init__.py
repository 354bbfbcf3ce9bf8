"""Plan what is computed, and from what: kinds of step, plans of scales, artifacts, jobs, staleness. No torch."""
