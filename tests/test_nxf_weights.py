"""Stored weights are found again to the bit, within half a scale of what they were; anything else is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from model_files import put_together, sealed, taken_apart
from owners_and_pets import train

from nexusflow.artifact import load_model, model_bytes, parts_of, save_model, weights_of
from nexusflow.data.task import TaskKind
from nexusflow.errors import ArtifactError
from nexusflow.nxf_weights import (
    LEVELS,
    SMALLEST_SCALE,
    Optimisation,
    Step,
    as_stored,
    dequantize,
    from_stored,
    quantize,
    shrinkable,
)
from nexusflow.optimise.optimizer import optimize_model
from nexusflow.train.predictor import predict_logits

INT8, PRUNED = Step(method="quantization"), Step(method="pruning", amount=0.3)
ALL = [(INT8,), (PRUNED,), (PRUNED, INT8)]
IDS = ["int8", "pruned", "both"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    reader, given = train(TaskKind.BINARY, "tabnet")
    path = tmp_path_factory.mktemp("optimised") / "model.nxf"
    save_model(path, **given)
    return reader, load_model(path)


def methods(steps):
    return [step.method for step in steps]


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(-30, 12), rows=st.integers(1, 9))
def test_int8_is_off_by_half_a_scale_at_most_and_finds_itself_again(seed, size, rows):
    weight = torch.randn(rows, 2, 17, generator=torch.Generator().manual_seed(seed)) * 2.0**size
    weight[0, 0] = 0
    int8, scale = quantize(weight)
    assert int8.abs().max() <= LEVELS and scale.shape == (rows, 2)
    again = dequantize(int8, scale)
    off = (again.double() - weight.double()).abs()
    assert (off <= scale.double().unsqueeze(-1) / 2 * (1 + 1e-12)).all()
    for one, other in zip(quantize(again), (int8, scale), strict=True):
        assert torch.equal(one, other)
    # The scale is no larger than it need be.
    least = (weight.abs().amax(dim=-1).double() / LEVELS).clamp(min=SMALLEST_SCALE)
    assert (scale.double() <= least * (1 + 2**-10)).all()


@pytest.mark.parametrize("steps", ALL, ids=IDS)
def test_an_optimised_model_is_the_same_to_the_bit_after_save_and_load(made, tmp_path, steps):
    reader, trained = made
    smaller = optimize_model(trained, methods(steps))
    smaller.save(tmp_path / "small.nxf")
    loaded = load_model(tmp_path / "small.nxf")
    assert loaded.optimisation == smaller.model.optimisation
    assert loaded.optimisation.steps == steps
    for name, weight in weights_of(smaller.model.model).items():
        assert weight.numpy().tobytes() == weights_of(loaded.model)[name].numpy().tobytes(), name
    rows = np.arange(len(reader))
    said = [
        predict_logits(model, reader, rows) for model in (smaller.model.model, loaded.model, trained.model)
    ]
    assert said[0].tobytes() == said[1].tobytes() != said[2].tobytes()
    assert model_bytes(**parts_of(loaded)) == (tmp_path / "small.nxf").read_bytes()
    assert smaller.optimization_metadata["after"]["bytes"] == (tmp_path / "small.nxf").stat().st_size


def test_small_tensors_and_vectors_stay_as_they_are(made):
    weights = weights_of(made[1].model)
    stored = as_stored(weights, Optimisation(steps=(INT8,)))
    changed = {name for name in weights if name not in stored}
    assert changed == {name for name, weight in weights.items() if shrinkable(weight)}
    assert changed and all(weights[name].dim() >= 2 for name in changed)


def test_weights_that_changed_after_the_optimisation_are_not_saved(made, tmp_path):
    trained = optimize_model(made[1]).model
    name, weight = next((n, w) for n, w in weights_of(trained.model).items() if shrinkable(w))
    with torch.no_grad():
        trained.model.get_parameter(name).view(-1)[0] += weight.abs().max() / 300
    with pytest.raises(ArtifactError, match="Optimise it again"):
        save_model(tmp_path / "small.nxf", **parts_of(trained))


@pytest.fixture(params=ALL, ids=IDS)
def file(files, request):
    return files[request.param]


def retold(path, target, change):
    """The file with a changed record, or with changed tensors."""
    from safetensors.torch import load, save

    members = taken_apart(path)
    card, tensors = json.loads(members["model.json"]), load(members["weights.safetensors"])
    change(card, tensors)
    members |= {"model.json": json.dumps(card).encode(), "weights.safetensors": save(tensors)}
    put_together(target, sealed(members))


RECORDS = [
    None,
    3,
    [],
    {},
    {"steps": [], "metric": "", "rows": 0, "before": None, "after": None},
    {"steps": [{"method": "magic", "amount": 0.0}], "metric": "", "rows": 0, "before": None, "after": None},
    {"steps": [{"method": "pruning", "amount": 7.0}], "metric": "", "rows": 0, "before": None, "after": None},
    {"steps": [{"method": "pruning", "amount": "x"}], "metric": "", "rows": 0, "before": None, "after": None},
    {"steps": "quantization", "metric": "", "rows": 0, "before": None, "after": None},
    {"steps": [{"method": [], "amount": 0.0}], "metric": "", "rows": 0, "before": None, "after": None},
    {"steps": [INT8.to_dict()] * 17, "metric": "", "rows": 0, "before": None, "after": None},
    {"steps": [INT8.to_dict()], "metric": 3, "rows": 0, "before": None, "after": None},
    {"steps": [INT8.to_dict()], "metric": "", "rows": -1, "before": None, "after": None},
    {"steps": [INT8.to_dict()], "metric": "", "rows": 0, "before": "good", "after": None},
    {"steps": [INT8.to_dict()], "metric": "", "rows": 0, "before": None, "after": None, "run": "rm -rf"},
]


@pytest.mark.parametrize("record", RECORDS, ids=range(len(RECORDS)))
def test_a_record_that_is_none_is_refused(file, tmp_path, record):
    retold(file, tmp_path / "bad.nxf", lambda card, tensors: card.update(optimisation=record))
    with pytest.raises(ArtifactError):
        load_model(tmp_path / "bad.nxf")


def test_a_file_without_its_record_or_with_another_is_refused(file, tmp_path):
    retold(file, tmp_path / "bad.nxf", lambda card, tensors: card.pop("optimisation"))
    with pytest.raises(ArtifactError, match="another network"):
        load_model(tmp_path / "bad.nxf")
    int8 = load_model(file).optimisation.quantized
    other = PRUNED if int8 else INT8
    record = Optimisation(steps=(other,)).to_dict()
    retold(file, tmp_path / "bad.nxf", lambda card, tensors: card.update(optimisation=record))
    with pytest.raises(ArtifactError, match="not stored as the steps"):
        load_model(tmp_path / "bad.nxf")


def of(tensors, suffix):
    return next((name for name in tensors if name.endswith(suffix)), None)


def put(suffix, change):
    def within(card, tensors):
        name = of(tensors, suffix)
        tensors[name] = change(tensors[name]).contiguous()

    return within


def largest(tensor, value):
    tensor = tensor.clone()
    tensor.view(-1)[0] = value
    return tensor


def without(card, tensors):
    del tensors[of(tensors, ".int8") or of(tensors, ".mask")]


ANY = {
    "a float too many": lambda card, tensors: tensors.update(extra=torch.zeros(2)),
    "a part lacks": without,
}
WHOLE = {
    "int8 of another shape": put(".int8", lambda t: t.flatten()),
    "int8 of another type": put(".int8", lambda t: t.to(torch.int16)),
    "int8 beyond the levels": put(".int8", lambda t: largest(t, -128)),
    "a scale that is no number": put("weight.scale", lambda t: largest(t, float("nan"))),
    "an endless scale": put("weight.scale", lambda t: largest(t, float("inf"))),
    "a scale below zero": put("weight.scale", lambda t: -t),
    "scales of another shape": put("weight.scale", lambda t: t[:-1]),
}
SPARSE = {
    "a mask of another length": put(".mask", lambda t: t[:-1]),
    "a mask of other numbers": put(".mask", lambda t: ~t),
    "kept numbers of another count": put(".kept", lambda t: t[:, :-1]),
    "kept numbers without planes": put(".kept", lambda t: t.flatten()),
    "kept zeros": put(".kept", lambda t: torch.cat([t[:, :1] * 0, t[:, 1:]], dim=1)),
    "kept of another type": put(".kept", lambda t: t.float()),
    "kept numbers that are none": put(".kept", lambda t: torch.full_like(t, 255)),
}
FOR = {(INT8,): ANY | WHOLE, (PRUNED,): ANY | SPARSE, (PRUNED, INT8): ANY | WHOLE}
BAD = [(steps, what, bad) for steps, found in FOR.items() for what, bad in found.items()]


@pytest.fixture(scope="module")
def files(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    for name, steps in zip(IDS, ALL, strict=True):
        optimize_model(made[1], methods(steps)).save(folder / f"{name}.nxf")
    return {steps: folder / f"{name}.nxf" for name, steps in zip(IDS, ALL, strict=True)}


@pytest.mark.parametrize(
    ("steps", "bad"), [(s, b) for s, _, b in BAD], ids=[f"{IDS[ALL.index(s)]}: {what}" for s, what, _ in BAD]
)
def test_tensors_that_no_step_leaves_are_refused(files, tmp_path, steps, bad):
    retold(files[steps], tmp_path / "bad.nxf", bad)
    with pytest.raises(ArtifactError):
        load_model(tmp_path / "bad.nxf")


def test_a_weight_too_large_for_half_precision_stays_a_float():
    weights = {"wide": torch.randn(16, 16) * 1e9, "plain": torch.randn(16, 16)}
    done = Optimisation(steps=(INT8,))
    stored = as_stored(weights, done)
    assert set(stored) == {"wide", "plain.int8", "plain.scale"}
    found = from_stored(stored, weights, done)
    assert torch.equal(found["wide"], weights["wide"])


def test_the_record_of_an_optimisation_is_read_as_it_was_written():
    record = Optimisation(steps=(PRUNED, INT8), metric="auroc", rows=7, before=0.75, after=0.74)
    assert Optimisation.from_dict(json.loads(json.dumps(record.to_dict()))) == record
    with pytest.raises(ValueError, match="something else"):
        Optimisation.from_dict({**record.to_dict(), "more": 1})
    assert replace(record, steps=(INT8,)) != record
