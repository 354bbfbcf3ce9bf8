"""What is computed, and from what: kinds of step, the plan of a scale, artifacts, jobs and staleness. No torch."""
