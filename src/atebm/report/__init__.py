"""Figures and tables: a function per artifact or family, from the results of its steps to what is drawn of them.

No torch, no training, no network. pipeline/artifacts.py says which function draws which artifact.
"""

from .document import CheckError, Document, check
from .draw import draw
from .drawn import Drawn

__all__ = ["CheckError", "Document", "Drawn", "check", "draw"]
