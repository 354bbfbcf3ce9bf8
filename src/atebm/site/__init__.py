"""results/index.html: one page, from results/ alone, that works without a network. What most readers will ever see."""
