"""Sentences that captions of several artifacts share."""

STANDIN = (
    "The extractor is a stand-in for Inception, a small classifier of the labels of p_data: its numbers rank the "
    "measured rows and are neither FID nor IS, so they do not compare with the published columns, which are of the "
    "paper's own data."
)
