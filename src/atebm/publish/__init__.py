"""Results for readers and programs: results/index.html, one page that works without a network, and the crate."""
