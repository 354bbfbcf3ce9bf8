"""Train models: objectives, the schedule of K, the loop, checkpoints, and the stand-in classifier."""
