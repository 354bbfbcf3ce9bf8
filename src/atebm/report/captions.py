"""State sentences that several captions share."""

STANDIN = (
    "Here a small classifier of the labels of p_data stands in for the Inception network. Its numbers rank the "
    "measured rows; they are neither FID nor IS and cannot be compared with the published columns, which were "
    "measured on the paper's own data."
)
