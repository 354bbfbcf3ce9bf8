"""Learning energy-based models with adversarial training: the method, its samplers, metrics, figures and tables.

`load`, `train` and `Model` are the Python API. They are imported on first use, since importing torch takes seconds.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .inference.model import Model, load, train

__all__ = ["Model", "load", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from .inference import model

        return getattr(model, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
