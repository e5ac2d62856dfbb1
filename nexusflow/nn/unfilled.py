"""Networks whose weights are about to be read: nothing is drawn for them.

PyTorch has one generator for all threads. Drawing weights that are thrown away would change the numbers of a training
that is under way beside.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

FILLING = ("uniform_", "normal_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_", "xavier_normal_")
DRAWING = ("rand", "randn")


class Unfilled(TorchFunctionMode):
    """Within it, in this thread alone, tensors that would be filled at random keep what they hold, or are zero."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """What `func` gives, without a draw."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in FILLING:
            return args[0] if args else kwargs["tensor"]
        if name in DRAWING:
            return torch.zeros(*args, **{key: value for key, value in kwargs.items() if key != "generator"})
        return func(*args, **kwargs)
