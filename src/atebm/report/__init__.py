"""Figures and tables: one function per artifact, of the artifact's name. No torch, no training, no network.

Each goes from the artifact's plan file to `out`, .png or .csv, and the files beside it.
"""

from .generation import table2
from .pictures import figS2
from .settings import table1, tableS2, tableS3, tableS4, tableS5, tableS6
from .toy import fig1

__all__ = ["fig1", "figS2", "table1", "table2", "tableS2", "tableS3", "tableS4", "tableS5", "tableS6"]
