"""Words that steps write into records and tables, and that drawing functions read there."""

# The parents of an `attack` step that are in distribution; each other parent is a row of a table.
IN, HELD_OUT = "in", "held_out"
CLEAN, PUBLISHED, WORST = "clean", "auto_pgd", "worst"  # columns of its scores.csv, beside those of other attacks
# The images searched for neighbours.csv: all training images, as many of them as are held out, and the held-out ones.
TRAIN, AS_MANY, UNSEEN = "train", "train, as many as held out", "held out"
