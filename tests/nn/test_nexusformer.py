"""The laws of the whole model, on a random relational database."""

import numpy as np
import pandas as pd
import pytest
import torch
from random_database import SCHEMA, TASK, random_frames, table_set

from nexusflow.config import ArchitectureConfig, DatasetConfig
from nexusflow.data.batch import Batch
from nexusflow.data.examples import make_examples, scoring_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.nn.nexusformer import NexusFormer

ENCODERS = {"customers": "ft_transformer", "orders": "tabnet", "items": "standard", "shops": "tabnet"}


@pytest.fixture(scope="module")
def reader() -> Reader:
    tables = table_set(random_frames(3))
    fitted = fit_preprocessing(
        tables, SCHEMA, TASK, make_examples(tables, SCHEMA, TASK), hops=2, rows_per_key=3
    )
    return Reader(fitted, tables, scoring_examples(tables, SCHEMA, TASK))


def _model(reader: Reader, **settings: object) -> NexusFormer:
    torch.manual_seed(1)
    architecture = ArchitectureConfig.model_validate(
        {"global_embed_dim": 16, "num_heads": 2, "refinement_iterations": 3, **settings}
    )
    datasets = {
        t: DatasetConfig.model_validate({"name": t, "transformer_type": e}) for t, e in ENCODERS.items()
    }
    return NexusFormer(reader.layout, architecture, datasets).eval()


def _all(reader: Reader) -> Batch:
    return reader.batch(np.arange(len(reader)))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("use_moe", [False, True])
def test_contributions_sum_to_the_prediction(reader: Reader, use_moe: bool, share: float) -> None:
    model = _model(reader, use_moe=use_moe)
    model.reading.share.fill_(share)
    for bias in (model.reading.bias, model.fusion.bias):
        torch.nn.init.normal_(bias.weight)
    output = model(_all(reader), record=True)
    first, second = output.answers_BO
    torch.testing.assert_close(output.logit_BO, (1 - share) * first + share * second)
    assert torch.equal(output.evidence.prediction_PBO[-1], output.logit_BO)
    total = output.bias_O + output.contribution_BTO.sum(dim=1)
    torch.testing.assert_close(total, output.logit_BO, atol=1e-5, rtol=0)
    assert (output.contribution_BTO[~output.present_BT] == 0).all()


@pytest.mark.parametrize("use_moe", [False, True])
def test_recording_attention_changes_nothing_to_the_bit(reader: Reader, use_moe: bool) -> None:
    model, batch = _model(reader, use_moe=use_moe), _all(reader)
    plain, recorded = model(batch), model(batch, record=True)
    assert torch.equal(plain.logit_BO, recorded.logit_BO)
    assert torch.equal(plain.contribution_BTO, recorded.contribution_BTO)
    assert torch.equal(plain.passes_B, recorded.passes_B)
    assert plain.evidence is None
    assert (recorded.evidence.gate_PLBTE is not None) == use_moe


def test_attention_is_a_share_of_the_roles_that_are_present(reader: Reader) -> None:
    output = _model(reader)(_all(reader), record=True)
    attention = output.evidence.attention_PLBHTT
    torch.testing.assert_close(attention.sum(-1), torch.ones_like(attention.sum(-1)), atol=1e-5, rtol=0)
    absent = ~output.present_BT[None, None, :, None, None, :].expand_as(attention)
    assert (attention[absent] == 0).all()


def test_batch_size_and_company_do_not_matter(reader: Reader) -> None:
    model = _model(reader)
    together = model(_all(reader)).logit_BO
    for size in (1, 4):
        parts = [
            model(reader.batch(np.arange(at, min(at + size, len(reader))))).logit_BO
            for at in range(0, len(reader), size)
        ]
        torch.testing.assert_close(torch.cat(parts), together, atol=1e-6, rtol=0)
    order = np.random.default_rng(0).permutation(len(reader))
    torch.testing.assert_close(model(reader.batch(order)).logit_BO, together[order], atol=1e-6, rtol=0)


def test_padding_does_not_matter(reader: Reader) -> None:
    model, batch = _model(reader), _all(reader)

    def padded(value: torch.Tensor, fill: float) -> torch.Tensor:
        return torch.cat([value, torch.full((*value.shape[:2], 4), fill, dtype=value.dtype)], dim=2)

    wide = Batch(
        **{
            **vars(batch),
            "slot_BTS": padded(batch.slot_BTS, -1),
            "age_BTS": padded(batch.age_BTS, 0),
            "timed_BTS": padded(batch.timed_BTS, 0),
            "link_BTS": padded(batch.link_BTS, -1),
        }
    )
    torch.testing.assert_close(model(wide).logit_BO, model(batch).logit_BO, atol=1e-6, rtol=0)


def test_unshared_rows_predict_the_same(reader: Reader) -> None:
    model, index = _model(reader), np.arange(len(reader))
    shared, own = model(reader.batch(index)).logit_BO, model(reader.batch(index, distinct=False)).logit_BO
    torch.testing.assert_close(shared, own, atol=1e-6, rtol=0)


def test_row_order_of_the_tables_does_not_matter(reader: Reader) -> None:
    frames = random_frames(3)
    mixed = {n: f.sample(frac=1, random_state=2) for n, f in frames.items() if n != "customers"}
    tables = table_set({**frames, **mixed})
    other = Reader(reader.preprocessing, tables, scoring_examples(tables, SCHEMA, TASK))
    model = _model(reader)
    torch.testing.assert_close(model(_all(other)).logit_BO, model(_all(reader)).logit_BO, atol=1e-6, rtol=0)


def test_rows_after_the_cutoff_change_no_bit_of_a_prediction(reader: Reader) -> None:
    frames = random_frames(3)
    late = frames["orders"].assign(
        order=lambda f: f["order"] + 100_000,
        when=frames["customers"]["as_of"].max() + np.timedelta64(1, "h"),
        amount=1e9,
    )
    tables = table_set({**frames, "orders": pd.concat([frames["orders"], late], ignore_index=True)})
    other = Reader(reader.preprocessing, tables, scoring_examples(tables, SCHEMA, TASK))
    model = _model(reader)
    assert torch.equal(model(_all(other)).logit_BO, model(_all(reader)).logit_BO)


@pytest.mark.parametrize("use_moe", [False, True])
def test_gradients_reach_every_parameter(reader: Reader, use_moe: bool) -> None:
    model, batch = _model(reader, use_moe=use_moe), _all(reader)
    output = model(batch, passes_B=torch.full((batch.size,), 3))
    (output.logit_BO.square().sum() + output.loss).backward()
    silent = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    # A token for missing cells is reached only where a cell is missing, and some columns have none.
    assert {name for name in silent if not name.endswith("missing")} == set()


@pytest.mark.parametrize("blocks", [1, 2])
def test_training_itself_reaches_every_parameter(reader: Reader, blocks: int) -> None:
    # Training differentiates the last pass alone: what only feeds a next pass would never learn.
    model, batch = _model(reader, num_blocks=blocks, use_moe=True).train(), _all(reader)
    for _ in range(12):
        output = model(batch)
        (output.logit_BO.square().sum() + output.loss).backward()
    silent = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert {name for name in silent if not name.endswith("missing")} == set()


def test_fixed_passes_give_what_was_recorded_after_them(reader: Reader) -> None:
    model, batch = _model(reader, convergence_threshold=0.0), _all(reader)
    trace = model(batch, record=True).evidence.prediction_PBO
    for passes in (1, 2, 3):
        fixed = model(batch, passes_B=torch.full((batch.size,), passes))
        assert torch.equal(fixed.logit_BO, trace[passes - 1])
        assert (fixed.passes_B == passes).all()


def test_where_rows_alone_answer_nothing_is_refined(reader: Reader) -> None:
    model = _model(reader, convergence_threshold=1e-9)
    model.reading.share.fill_(1.0)
    assert (model(_all(reader)).passes_B == 2).all()


def test_a_row_stops_once_it_stands_still(reader: Reader) -> None:
    batch = _all(reader)
    patient, quick = _model(reader, convergence_threshold=0.0), _model(reader, convergence_threshold=1e9)
    assert (patient(batch).passes_B == 3).all()
    assert (quick(batch).passes_B == 2).all()


def test_hiding_an_absent_role_changes_nothing_and_a_present_one_something(reader: Reader) -> None:
    model, batch = _model(reader), _all(reader)
    plain = model(batch)
    for t in range(1, len(reader.layout.roles)):
        hide = torch.zeros(batch.size, len(reader.layout.roles), dtype=torch.bool)
        hide[:, t] = True
        hidden = model(batch, hide_BT=hide)
        absent = ~plain.present_BT[:, t]
        assert torch.equal(hidden.logit_BO[absent], plain.logit_BO[absent])
        assert (hidden.logit_BO[~absent] != plain.logit_BO[~absent]).any()
        assert not hidden.present_BT[:, t].any()


def test_hiding_the_seed_hides_its_cells_and_leaves_its_tables(reader: Reader) -> None:
    """With the seed hidden, what its own columns hold makes no difference."""
    frames = random_frames(3)
    frames["customers"] = frames["customers"].assign(age=99.0, plan="c")
    tables = table_set(frames)
    other = Reader(reader.preprocessing, tables, scoring_examples(tables, SCHEMA, TASK))
    model, batch = _model(reader), _all(reader)
    hide = torch.zeros(batch.size, len(reader.layout.roles), dtype=torch.bool)
    hide[:, 0] = True
    hidden = model(batch, hide_BT=hide).logit_BO
    assert torch.equal(hidden, model(_all(other), hide_BT=hide).logit_BO)
    assert (hidden != model(batch).logit_BO).any()


def test_no_seeds_are_legal(reader: Reader) -> None:
    empty = reader.batch(np.zeros(0, dtype=np.int64))
    assert _model(reader)(empty, record=True).logit_BO.shape == (0, 1)


def test_training_masks_and_evaluation_does_not(reader: Reader) -> None:
    model, batch = _model(reader), _all(reader)
    assert torch.equal(model(batch).logit_BO, model(batch).logit_BO)
    model.train()
    torch.manual_seed(0)
    assert not torch.equal(model(batch).logit_BO, model(batch).logit_BO)
