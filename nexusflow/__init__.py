"""NexusFlow: predictions over related tables, with the reasons for them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nexusflow.models import TablesWarning, TrainedModel, load_model
    from nexusflow.public.artifact import NexusFlowModelArtifact, optimize_model
    from nexusflow.public.data import RelationalData
    from nexusflow.public.encoders import FTTransformerEncoder, StandardEncoder, TabNetEncoder
    from nexusflow.public.estimator import NexusFlowClassifier, NexusFlowRegressor
    from nexusflow.public.layers import CrossContextualAttention
    from nexusflow.public.model import NexusFormer
    from nexusflow.public.trainer import NexusFlowTrainer

__version__ = "0.1.0"

# Public names and where they live; PyTorch is imported with the first of them and not before.
_PUBLIC = {
    "CrossContextualAttention": "public.layers",
    "FTTransformerEncoder": "public.encoders",
    "NexusFlowClassifier": "public.estimator",
    "NexusFlowModelArtifact": "public.artifact",
    "NexusFlowRegressor": "public.estimator",
    "NexusFlowTrainer": "public.trainer",
    "NexusFormer": "public.model",
    "RelationalData": "public.data",
    "StandardEncoder": "public.encoders",
    "TabNetEncoder": "public.encoders",
    "TablesWarning": "models",
    "TrainedModel": "models",
    "load_model": "models",
    "optimize_model": "public.artifact",
}
__all__ = [
    "CrossContextualAttention",
    "FTTransformerEncoder",
    "NexusFlowClassifier",
    "NexusFlowModelArtifact",
    "NexusFlowRegressor",
    "NexusFlowTrainer",
    "NexusFormer",
    "RelationalData",
    "StandardEncoder",
    "TabNetEncoder",
    "TablesWarning",
    "TrainedModel",
    "__version__",
    "load_model",
    "optimize_model",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'nexusflow' has no attribute {name!r}")
    return getattr(import_module(f"nexusflow.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
