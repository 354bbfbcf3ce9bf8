"""Words that steps write into records and tables, and that drawings look for there."""

# Parents of an `attack` step that are in distribution; the others are rows of a table.
IN, HELD_OUT = "in", "held_out"
CLEAN, PUBLISHED, WORST = "clean", "auto_pgd", "worst"  # columns of its scores.csv, which also has other attacks
# Among which images those of neighbours.csv are: all training images, as many as are held out, and the held-out ones.
TRAIN, AS_MANY, UNSEEN = "train", "train, as many as held out", "held out"
