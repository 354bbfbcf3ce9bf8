"""Figures and tables: one function per artifact, of the artifact's name. No torch, no training, no network.

Each goes from the artifact's plan file to `out`, .png or .csv, and the files beside it.
"""

from .ablations import fig2, fig3, fig4, fig5, stability
from .ascents import fig7, figS11, figS12, figS13, figS14, figS15, figS16, figS17, figS18, figS19, figS20
from .claims import claims
from .detection_figures import ood_attacked, ood_curves, ood_scores
from .detection_tables import table4, tableS8
from .generation import table2, table3, tableS7
from .hyperparameters import tableS2, tableS3, tableS4, tableS5, tableS6
from .masking import ood_masking
from .maximin import fig1
from .minimax import figS1
from .picture_checks import picture_checks
from .pictures import fig6, figS2, figS3, figS4, figS5, figS6, figS7, figS8, figS9, figS10, figS21
from .theory import table1, tableS1

__all__ = [
    "claims",
    "fig1",
    "fig2",
    "fig3",
    "fig4",
    "fig5",
    "fig6",
    "fig7",
    "figS1",
    "figS2",
    "figS3",
    "figS4",
    "figS5",
    "figS6",
    "figS7",
    "figS8",
    "figS9",
    "figS10",
    "figS11",
    "figS12",
    "figS13",
    "figS14",
    "figS15",
    "figS16",
    "figS17",
    "figS18",
    "figS19",
    "figS20",
    "figS21",
    "ood_attacked",
    "ood_curves",
    "ood_masking",
    "ood_scores",
    "picture_checks",
    "stability",
    "table1",
    "table2",
    "table3",
    "table4",
    "tableS1",
    "tableS2",
    "tableS3",
    "tableS4",
    "tableS5",
    "tableS6",
    "tableS7",
    "tableS8",
]
