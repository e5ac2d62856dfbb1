"""How much memory a training takes: what is kept for each weight, and what a step saves for its way back."""

from typing import Any

import torch

from nexusflow.config import TrainingConfig
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.train.loss import LossOfRows
from nexusflow.train.readings import readings
from nexusflow.train.runtime import choose_device

# Besides the weight itself: its gradient, its running average, the best epoch's copy of that; and of the optimizer one
# or two moments.
COPIES, MOMENTS = 4, {"sgd": 1, "adam": 2, "adamw": 2}


def bytes_of_weights(model: NexusFormer, training: TrainingConfig) -> int:
    """The weights, what the optimizer keeps of each, and the copies of them that a training holds."""
    once = sum(p.numel() * p.element_size() for p in model.parameters())
    return once * (COPIES + MOMENTS[training.optimizer.name])


def bytes_of_a_step(reader: Reader, model: NexusFormer, training: TrainingConfig) -> int:
    """What a step of settled settings saves for its way back, measured: the model goes forward over one batch."""
    rows = (reader.examples.part_N == str(Part.TRAIN)).nonzero()[0][: training.batch_size]
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    def back(tensor: Any) -> Any:
        return tensor

    loss_of = LossOfRows(model, reader, choose_device(training))
    loss_of.turn_to(readings(reader, training.seed)[0], None)
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(note, back):
        loss = loss_of(torch.from_numpy(rows))
    # The graph, and with it all that was saved, lives as long as the loss.
    del loss
    return sum(kept.values())
