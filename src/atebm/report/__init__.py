"""Figures and tables: one function per artifact, of the artifact's name. No torch, no training, no network."""

from .figures import fig1, figS2
from .tables import table2

__all__ = ["fig1", "figS2", "table2"]
