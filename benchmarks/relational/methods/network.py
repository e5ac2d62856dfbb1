"""Training for the networks that NexusFormer is compared with: its own optimizer, rate, epochs and early stopping."""

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.relational.given import SCORED, Given, Predictions, Rows
from nexusflow.config import TrainingConfig
from nexusflow.data.task import Part, TaskKind
from nexusflow.nn.heads import task_loss
from nexusflow.train.budget import rate, settle
from nexusflow.train.metrics import score
from nexusflow.train.optimizer import make_optimizer
from nexusflow.train.runtime import choose_device

# Logits [B, O] of these examples, their targets [B] as the network sees them, and a loss of the network's own; where
# the network is.
Forward = Callable[[Rows], tuple[Tensor, Tensor, Tensor | float]]
BATCH = 512


def train_network(given: Given, network: nn.Module, forward: Forward) -> Predictions:
    """The predictions of the epoch that does best on validation, of at most `peer_minutes` of them."""
    # A graphics card makes it faster and nothing else: epochs and batches are those of a processor.
    asked = TrainingConfig(seed=given.seed, epochs=given.settings.epochs, device="cpu")
    settings = settle(asked, given.reader)
    network.to(device())
    train, epochs = given.rows(Part.TRAIN), settings.epochs or 1
    batches = math.ceil(len(train) / settings.batch_size)
    optimizer = make_optimizer(network, settings.optimizer)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, batches * epochs))
    shuffle = np.random.default_rng(given.seed)
    until = time.monotonic() + 60 * given.settings.peer_minutes
    best, best_epoch, state = -math.inf, 0, dict(network.state_dict())
    for epoch in range(1, epochs + 1):
        network.train()
        order = shuffle.permutation(train)
        for at in range(0, len(order), settings.batch_size):
            logit, target, extra = forward(order[at : at + settings.batch_size])
            loss = task_loss(given.question.task.kind, logit, target) + extra
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clipping)
            optimizer.step()
            schedule.step()
        found = _quality(given, network, forward)
        print(f"epoch {epoch}: {found:.4f}", flush=True)
        if found > best:
            best, best_epoch = found, epoch
            state = {name: value.clone() for name, value in network.state_dict().items()}
        if epoch - best_epoch >= settings.patience or time.monotonic() > until:
            break
    network.load_state_dict(state)
    return {part: _predict(given, network, forward, given.rows(part)) for part in SCORED}


def device() -> str:
    """Where the networks train."""
    return choose_device(TrainingConfig())


def _quality(given: Given, network: nn.Module, forward: Forward) -> float:
    """The loss on validation, turned round: higher is better. NexusFormer's epochs are chosen much so too."""
    kind = given.question.task.kind
    name = "mae" if kind is TaskKind.REGRESSION else "log_loss"
    rows = given.rows(Part.VALIDATION)
    return -score(kind, given.target(Part.VALIDATION), _predict(given, network, forward, rows)).get(
        name, math.inf
    )


def _predict(given: Given, network: nn.Module, forward: Forward, rows: Rows) -> np.ndarray:
    network.eval()
    parts = [np.zeros((0, given.reader.layout.outputs), dtype=np.float32)]
    with torch.inference_mode():
        for at in range(0, len(rows), BATCH):
            parts.append(forward(rows[at : at + BATCH])[0].cpu().numpy())
    return given.reader.preprocessing.unscale(np.concatenate(parts))
