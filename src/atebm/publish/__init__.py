"""results/index.html: one page, from results/ alone, that works without a network. What most readers will ever see."""

# What it shows before and after an ascent, and what the two are called. Here, since the Snakefile wants to know, too.
SAMPLED = dict.fromkeys(("fig6", "figS2", "figS4", "figS6", "figS7"), ("source images", "samples"))
CLIMBED = {
    "fig7": ("images", "translated"),
    "figS17": ("source images", "samples of the sum of both f"),
    "figS18": ("damaged", "restored"),
    "figS19": ("damaged", "restored"),
    "figS20": ("images", "translated"),
}
COMPARED = {**SAMPLED, **CLIMBED}
IMAGES = ("ascent", "data", "sample")  # kinds of step that leave what is compared
