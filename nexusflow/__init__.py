"""NexusFlow: predictions over related tables, with the reasons for them."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# What `nexusflow.NAME` gives, and where it lives. Loaded when it is asked for: the command line need not wait for it.
_PUBLIC = {
    "RelationalData": "public.data",
    "FTTransformerEncoder": "public.encoders",
    "StandardEncoder": "public.encoders",
    "TabNetEncoder": "public.encoders",
    "CrossContextualAttention": "public.layers",
    "NexusFormer": "public.model",
    "NexusFlowTrainer": "public.trainer",
    "NexusFlowModelArtifact": "public.artifact",
    "load_model": "public.artifact",
    "NexusFlowClassifier": "public.estimator",
    "NexusFlowRegressor": "public.estimator",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'nexusflow' has no attribute {name!r}")
    return getattr(import_module(f"nexusflow.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
