"""Name data by what they are and what they stand in for, and find the artifacts that a place in the paper names."""

import re

NAMED = re.compile(r"\b(Fig|Table)s?\.? (S?\d+(?:(?:-|, | and )S?\d+)*)|\b(Sec\. 5\.3)")
NUMBER = re.compile(r"(S?)(\d+)(?:-S?(\d+))?")


def labelled(used: str, paper: str) -> str:
    """Return the name of data for rows, legends and headings: "handwritten digits (for SVHN)", or "SVHN" itself."""
    return paper if used.casefold() == paper.casefold() else f"{used} (for {paper})"


def labels_in(place: str) -> list[str]:
    """Return the labels of figures and tables that a place in the paper names: ["Fig. 7", "Fig. S20"]."""
    labels: list[str] = []
    for kind, numbers, section in NAMED.findall(place):
        word = {"Fig": "Fig.", "Table": "Table"}.get(kind, "")
        for letter, first, last in NUMBER.findall(numbers):
            labels += [f"{word} {letter}{number}" for number in range(int(first), int(last or first) + 1)]
        labels += [section] if section else []
    return labels
