"""Draw figures and tables: one function per artifact, or family of artifacts, draws them from the results of steps.

Nothing here trains, downloads or imports torch. pipeline/artifacts.py says which function draws which artifact.
"""

from .document import CheckError, Document, check
from .draw import draw
from .drawn import Drawn

__all__ = ["CheckError", "Document", "Drawn", "check", "draw"]
