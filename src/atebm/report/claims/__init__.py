"""The claims of the paper: every sentence that could be tested, by part of the paper, and the board that decides them.

A module a part: `theory`, `ingredients`, `generation`, `detection`, `stability`, `supplement`. `evidence` computes
effects per seed from results, `registry` has them all, `board` decides and draws, `negative` words what did not come
out, `reproduced` has the rules by which a published number will count as reproduced.
"""
