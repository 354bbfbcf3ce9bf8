"""Figures and tables: one function per artifact, of the artifact's name. No torch, no training, no network.

Each goes from the artifact's plan file to `out`, .png or .csv, and the files beside it.
"""

from .generation import table2
from .minimax import figS1
from .pictures import figS2
from .toy import fig1

__all__ = ["fig1", "figS1", "figS2", "table2"]
