"""Write the results for readers and programs: results/index.html, which works offline, and the crate."""
