"""What attention carried, not only where it looked: values in place of weights, seen through to the prediction.

A weight says nothing of what it carries (Kobayashi et al. 2020), and what is carried alike to every row moves no row.
So each piece is taken as its difference from its mean over a sample of rows.

Axis letters: B rows, T roles (the first looks, the second is looked at), D width, P passes, L blocks, O outputs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.explain.explanation import Flow
from nexusflow.nn.nexusformer import NexusFormer

Rows = npt.NDArray[np.int64]
ShouldStop = Callable[[], bool]
Hook = Callable[..., None]
# Rows times pairs of roles that are held at once.
MOST_PAIRS, MOST_ROWS = 40_000, 256
OF_ROWS = ("said", "scale", "read", "shape", "turns", "turned")


class FlowStopped(Exception):
    """Raised where it was asked to stop."""


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """What the answers of B rows are made of, or its mean over rows (then without B).

    said [B, T, D] are the summaries before the row scales them by 1 + scale [B, D], its modulation of related roles;
    start [P, B, T, D] goes into each pass; kept [P * L, B, T, D] is each role's own summary beside carried
    [P * L, B, T, T, D], what it took from each role; read and shape [B, T, O] are what the fusion adds up. turns [B, H]
    are the scales, less 1, by which the row turns up or down what the rows of related roles say in shape, and turned
    [B, T, O] is what they change in it, as against their mean.
    """

    said: Tensor
    scale: Tensor
    start: Tensor
    kept: Tensor
    carried: Tensor
    read: Tensor
    shape: Tensor
    turns: Tensor
    turned: Tensor

    def mean(self) -> "Pieces":
        """The mean over rows."""
        of_passes = {name: getattr(self, name).mean(dim=1) for name in ("start", "kept", "carried")}
        of_rows = {name: getattr(self, name).mean(dim=0) for name in OF_ROWS}
        return Pieces(**of_passes, **of_rows)


def reference(
    trained: TrainedModel, reader: Reader, index_N: Rows, *, should_stop: ShouldStop = lambda: False
) -> Pieces:
    """The mean over these examples; ValueError where there are none, FlowStopped where asked to stop."""
    if not len(index_N):
        raise ValueError("there is no example to take the mean of")
    total: dict[str, Tensor] = {}
    with torch.no_grad():
        for index in _parts(reader, index_N, should_stop):
            pieces, _, _ = _run(trained.model, reader, index)
            for name, value in vars(pieces.mean()).items():
                total[name] = total.get(name, torch.zeros_like(value)) + value * (len(index) / len(index_N))
    return Pieces(**total)


def flow(
    trained: TrainedModel,
    reader: Reader,
    index_N: Rows,
    mean: Pieces,
    *,
    should_stop: ShouldStop = lambda: False,
) -> Flow:
    """How much each of these examples draws on each role, and how far each look of a role at another moved it.

    `drawn_BT` follows back what the fusion reads of each role, through passes and blocks, by the squared lengths of
    what a role kept and took (attention rollout, Abnar & Zuidema 2020, over values); what features and rows say by
    themselves is drawn from their own role, but for what the row's own scaling changes in it. `moved_PLBTT` is how far
    the logit (of the predicted class, where there are several) moved because a role took what it took and not the mean,
    to the first order; 0 in passes that a row did not use. FlowStopped where asked to stop.
    """
    drawn, moved = [], []
    multiclass, blocks = reader.preprocessing.task.kind is TaskKind.MULTICLASS, len(trained.model.blocks)
    for index in _parts(reader, index_N, should_stop):
        with torch.enable_grad():
            pieces, changes, (logit_BO, passes_B) = _run(trained.model, reader, index, mean.turns)
            chosen = logit_BO.max(dim=1).values if multiclass else logit_BO[:, 0]
            slopes = torch.autograd.grad(chosen.sum(), changes, allow_unused=True)
        slope = torch.stack(
            [torch.zeros_like(c) if s is None else s for c, s in zip(changes, slopes, strict=True)]
        )
        carried = pieces.carried - mean.carried[:, None]
        moved.append((carried * slope.unsqueeze(3)).sum(dim=-1).unflatten(0, (-1, blocks)).cpu().numpy())
        drawn.append(_drawn(pieces, mean, passes_B, blocks).cpu().numpy())
    return Flow(
        roles=tuple(role.name for role in reader.layout.roles),
        drawn_BT=np.concatenate(drawn).astype(np.float64),
        moved_PLBTT=np.concatenate(moved, axis=2).astype(np.float64),
    )


def _parts(reader: Reader, index_N: Rows, should_stop: ShouldStop) -> Iterator[Rows]:
    size = max(1, min(MOST_ROWS, MOST_PAIRS // len(reader.layout.roles) ** 2))
    for at in range(0, len(index_N), size):
        if should_stop():
            raise FlowStopped
        yield index_N[at : at + size]


def _drawn(pieces: Pieces, mean: Pieces, passes_B: Tensor, blocks: int) -> Tensor:
    """[B, T]: squared lengths of what the fusion reads, followed back to the roles that it came from."""
    batch, roles = pieces.read.shape[:2]
    own = _modulated(pieces, mean, torch.eye(roles, device=pieces.read.device).expand(batch, roles, roles))
    flow_BTT = own
    first = _length(pieces.start[0], mean.start[0])
    for number in range(len(pieces.kept)):
        turn = number // blocks
        after = flow_BTT
        if turn and number % blocks == 0:
            again = _length(pieces.start[turn] - pieces.start[0], mean.start[turn] - mean.start[0])
            after = _mixed(first, own, again, after)
        stays = _length(pieces.kept[number], mean.kept[number])
        takes = _length(pieces.carried[number], mean.carried[number])
        after = _mixed(stays, after, takes.sum(dim=2), _shares(takes) @ after)
        flow_BTT = torch.where((passes_B > turn)[:, None, None], after, flow_BTT)
    read = _length(pieces.read, mean.read)
    return torch.einsum("bt,bts->bs", read, flow_BTT) + _by_themselves(pieces, mean)


def _by_themselves(pieces: Pieces, mean: Pieces) -> Tensor:
    """[B, T]: what features and rows say without attention, of which the row has what its scaling changes."""
    whole = _length(pieces.shape, mean.shape)
    by_row, by_itself = (pieces.turned**2).sum(dim=-1), _length(pieces.shape - pieces.turned, mean.shape)
    part = whole * by_row / (by_row + by_itself).clamp(min=1e-20)
    stays = whole - part
    return torch.cat([stays[:, :1] + part.sum(dim=1, keepdim=True), stays[:, 1:]], dim=1)


def _modulated(pieces: Pieces, mean: Pieces, own_BTT: Tensor) -> Tensor:
    """Where the summaries of related roles come from: from themselves, and from the row as far as it scales them."""
    usual = 1 + mean.scale
    by_itself = (((pieces.said - mean.said) * usual) ** 2).sum(dim=-1)
    by_row = ((pieces.said * (pieces.scale - mean.scale).unsqueeze(1)) ** 2).sum(dim=-1)
    by_row = torch.cat([torch.zeros_like(by_row[:, :1]), by_row[:, 1:]], dim=1)
    of_row = torch.zeros_like(own_BTT)
    of_row[:, :, 0] = 1
    return _mixed(by_itself, own_BTT, by_row, of_row)


def _length(x: Tensor, mean: Tensor) -> Tensor:
    """The squared length of the difference from the mean, over the last axis."""
    return ((x - mean) ** 2).sum(dim=-1)


def _shares(x: Tensor) -> Tensor:
    return x / x.sum(dim=-1, keepdim=True).clamp(min=1e-20)


def _mixed(one_BT: Tensor, first: Tensor, other_BT: Tensor, second: Tensor) -> Tensor:
    """`first` and `second` [B, T, T], mixed by these weights; `first` alone where both are 0."""
    share = (other_BT / (one_BT + other_BT).clamp(min=1e-20)).unsqueeze(-1)
    return (1 - share) * first + share * second


def _run(
    model: NexusFormer, reader: Reader, index: Rows, usual_H: Tensor | None = None
) -> tuple[Pieces, list[Tensor], tuple[Tensor, Tensor]]:
    """The pieces of these examples' answers, the changes by attention, and the logits with the passes used.

    `usual_H` are the scales against which the rows' own answer is seen, where they are known.
    """
    starts: list[Tensor] = []
    kept: list[Tensor] = []
    carried: list[Tensor] = []
    changes: list[Tensor] = []

    def begins(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        starts.append(given[0].detach())

    def looks(module: nn.Module, given: tuple[Tensor, ...], answer: tuple[Tensor, Tensor]) -> None:
        kept.append(given[0].detach())
        with torch.no_grad():
            carried.append(module.carried(*given, answer[1]))  # type: ignore[operator]
        changes.append(answer[0])

    scaled: list[Tensor] = []

    def scales(module: nn.Module, given: tuple[Tensor, ...], answer: tuple[Tensor, Tensor]) -> None:
        scaled.extend([given[0].detach(), answer[1].detach()])

    turns: list[Tensor] = []
    turned: list[Tensor] = []

    def reads(module: nn.Module, given: tuple[Tensor, ...], answer: tuple[Tensor, Tensor]) -> None:
        with torch.no_grad():
            x_BTSD, filled_BTS = given
            turns.append(model.reading.scale_of(x_BTSD, filled_BTS))
            usual = turns[0] if usual_H is None else usual_H.expand_as(turns[0])
            turned.append(answer[1] - model.reading.added(x_BTSD, filled_BTS, usual))

    batch = reader.batch(index).to(next(model.parameters()).device)
    with _hooked(model, begins, looks, scales, reads):
        output = model(batch, record=True)
    shape = output.shape_BTO.detach()
    pieces = Pieces(
        said=scaled[0],
        scale=scaled[1],
        start=torch.stack(starts),
        kept=torch.stack(kept),
        carried=torch.stack(carried),
        read=output.contribution_BTO.detach() - shape,
        shape=shape,
        turns=turns[0],
        turned=turned[0].detach() * model.reading.share * model.calibration.scale,
    )
    return pieces, changes, (output.logit_BO, output.passes_B)


@contextmanager
def _hooked(model: NexusFormer, begins: Hook, looks: Hook, scales: Hook, reads: Hook) -> Iterator[None]:
    """Watches the model's blocks, its modulation and what its rows say for as long as this lasts."""
    blocks = list(model.blocks)
    hooks = [model.modulation.register_forward_hook(scales), blocks[0].register_forward_pre_hook(begins)]
    hooks += [model.reading.register_forward_hook(reads)]
    hooks += [block.cross.register_forward_hook(looks) for block in blocks]  # type: ignore[union-attr]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
