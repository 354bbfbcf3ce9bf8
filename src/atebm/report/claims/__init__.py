"""State the claims of the paper, every sentence that could be tested, and decide them on the board.

Each part of the paper has a module: `theory`, `ingredients`, `generation`, `detection`, `stability`, `supplement`.
`registry` collects all claims, `evidence` computes effects per seed from results, `board` decides the claims and draws
the board, `controls` tests spoilt results, and `reproduced` has the rules for published numbers.
"""
