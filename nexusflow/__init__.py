"""NexusFlow: predictions over related tables, with the reasons for them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nexusflow.models import TablesWarning, TrainedModel, load_model, optimize_model

__version__ = "0.1.0"
__all__ = ["TablesWarning", "TrainedModel", "__version__", "load_model", "optimize_model"]

# Public names and where they live; PyTorch is imported with the first of them and not before.
_PUBLIC = {
    name: "nexusflow.models" for name in ("TablesWarning", "TrainedModel", "load_model", "optimize_model")
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'nexusflow' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
