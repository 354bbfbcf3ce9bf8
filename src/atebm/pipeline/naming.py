"""How data are named: by what they are, and by what of the paper's they stand in for."""


def labelled(used: str, paper: str) -> str:
    """Return the name of data in rows, legends and headings: "handwritten digits (for SVHN)", or "SVHN" itself."""
    return paper if used.casefold() == paper.casefold() else f"{used} (for {paper})"
