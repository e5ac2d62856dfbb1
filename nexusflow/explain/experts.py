"""Which expert of a mixture serves what (Shazeer et al. 2017): the router's weights, averaged honestly.

Axis letters: B rows, T roles, P passes, L blocks, E experts.
"""

import numpy as np
import numpy.typing as npt

from nexusflow.explain.explanation import AttentionMaps, Floats
from nexusflow.explain.passes import used_passes


def expert_shares(
    maps: AttentionMaps, *, iteration: int | None = None, block: int | None = None
) -> Floats | None:
    """Each expert's mean share of the work for each role, over the rows in which the role is present; [T, E].

    Over the passes that a row really used, or of one (from 1) for the rows that used it; over all blocks, or of one
    (from 1). Each role's shares sum to one, and are NaN where it is present nowhere. None where there are no experts.
    """
    if maps.gate_PLBTE is None:
        return None
    gate_PBTE, weight_PBT = _chosen(maps, maps.gate_PLBTE, iteration, block)
    return _mean(gate_PBTE, weight_PBT, (0, 1))


def expert_load(
    maps: AttentionMaps,
    *,
    iteration: int | None = None,
    block: int | None = None,
    role: int | None = None,
) -> tuple[Floats, Floats] | None:
    """Each expert's share of all work [E], which sums to one, and how often it is among the chosen [E].

    Work is counted by row, present role (or this one alone), used pass and block, as in `expert_shares`.
    """
    if maps.gate_PLBTE is None:
        return None
    gate_PBTE, weight_PBT = _chosen(maps, maps.gate_PLBTE, iteration, block)
    picked_PBTE, _ = _chosen(maps, (maps.gate_PLBTE > 0).astype(float), iteration, block)
    if role is not None:
        weight_PBT = weight_PBT & (np.arange(weight_PBT.shape[2]) == role)
    return _mean(gate_PBTE, weight_PBT, (0, 1, 2)), _mean(picked_PBTE, weight_PBT, (0, 1, 2))


def _chosen(
    maps: AttentionMaps, gate_PLBTE: Floats, iteration: int | None, block: int | None
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    gate_PBTE = gate_PLBTE.mean(axis=1) if block is None else gate_PLBTE[:, block - 1]
    return gate_PBTE, used_passes(maps, iteration)[:, :, None] & maps.present_BT[None]


def _mean(value_PBTE: Floats, weight_PBT: npt.NDArray[np.bool_], axes: tuple[int, ...]) -> Floats:
    total = (value_PBTE * weight_PBT[..., None]).sum(axis=axes)
    count = np.asarray(weight_PBT.sum(axis=axes))[..., None]
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))
