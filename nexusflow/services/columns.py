"""What hiding each column does, and how far the pictures of columns and tables agree with it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nexusflow.explain.baseline import Baseline
from nexusflow.explain.explanation import DeletionCheck
from nexusflow.services.attributing import ATTRIBUTED, sample_name
from nexusflow.services.insight import Insight, OnProgress, ShouldStop, never, silent
from nexusflow.services.keeping import kept_array, kept_check
from nexusflow.services.storage import write_bytes

# Rows that every column is hidden from: fewer than elsewhere, because columns are many.
ROWS_HIDDEN = 128
# Rows whose scores are found again a few times over, with their cells shaken.
ROWS_SHAKEN = 16
ROWS_THEMSELVES = (
    "Hiding the cells of every column costs nothing that can be told from chance, but hiding whole tables does, as the "
    "view of tables shows: answers depend on which rows there are and how many, and these stay when their cells are "
    "hidden. Do not read this picture as importance."
)


@dataclass(frozen=True, kw_only=True)
class ColumnTrust:
    """How well integrated gradients agree with hiding columns: the check, and the infidelity of these scores and of the
    same scores dealt out at random (0 is perfect, 1 is what scores of zero get).

    `sensitivity` is the median of how far the scores of a row go when its cells are shaken by 2 % of their usual size,
    as a share of the scores; NaN where they are all zero.
    """

    check: DeletionCheck
    infidelity: float
    infidelity_random: float
    sensitivity: float


def column_trust(
    insight: Insight,
    *,
    baseline: Baseline = Baseline.MISSING,
    count: int = ATTRIBUTED,
    should_stop: ShouldStop = never,
    on_progress: OnProgress = silent,
) -> ColumnTrust:
    """Whether the picture of columns can be trusted; its attributions are made where they are not kept."""
    from nexusflow.explain.faithfulness import deletion_check
    from nexusflow.explain.hiding import columns
    from nexusflow.explain.infidelity import infidelity, scores_of
    from nexusflow.explain.sensitivity import sensitivity

    rows, found = insight.attributions(baseline=baseline, count=count, should_stop=should_stop)
    groups, trained, reader = columns(insight.reader), insight.trained, insight.reader
    scores_NG, name = scores_of(found, groups), sample_name(baseline, count)
    check = kept_check(
        insight.folder / f"hiding-columns-shown{name}.json",
        lambda: deletion_check(
            trained,
            reader,
            insight.sample(ROWS_HIDDEN),
            groups,
            # As the picture ranks them: by the mean size of a row's sum.
            np.abs(scores_NG).mean(axis=0),
            should_stop=should_stop,
            on_progress=lambda share: on_progress(share / 2),
        ),
    )
    check = of_columns(check, lambda: insight.faithfulness(should_stop=should_stop).matters)
    path = insight.folder / f"infidelity{name}.json"
    if not path.is_file():
        # What hiding takes of many rows takes long to ask, and of a few says as much.
        few = slice(None, None, -(-len(rows) // ATTRIBUTED) or 1)
        measured = infidelity(trained, reader, rows[few], groups, scores_NG[few], should_stop=should_stop)
        write_bytes(path, json.dumps(measured).encode())
    mine, dealt = json.loads(path.read_text(encoding="utf-8"))
    some = slice(None, None, -(-len(rows) // ROWS_SHAKEN) or 1)
    shaken_N = kept_array(
        insight.folder / f"sensitivity{name}.npy",
        lambda: sensitivity(
            trained,
            reader,
            rows[some],
            groups,
            scores_NG[some],
            baseline=baseline,
            should_stop=should_stop,
            on_progress=lambda share: on_progress((1 + share) / 2),
        ),
    )
    sensitive = float(np.nanmedian(shaken_N)) if not np.isnan(shaken_N).all() else float("nan")
    return ColumnTrust(check=check, infidelity=mine, infidelity_random=dealt, sensitivity=sensitive)


def of_columns(check: DeletionCheck, tables_matter: Callable[[], bool]) -> DeletionCheck:
    """The check with a sentence that does not say of all that is read what was measured of its cells alone."""
    if check.matters or not tables_matter():
        return check
    return replace(check, sentence=ROWS_THEMSELVES)


def column_ablation(
    insight: Insight, *, should_stop: ShouldStop = never, on_progress: OnProgress = silent
) -> pd.DataFrame:
    """What hiding each column by itself does: table, column, share, change, cost, cost_error; kept with the run."""
    from nexusflow.explain.ablation import ablation
    from nexusflow.explain.hiding import columns

    path = insight.folder / "columns-hidden.parquet"
    if not path.is_file():
        found = ablation(
            insight.trained,
            insight.reader,
            insight.sample(ROWS_HIDDEN),
            columns(insight.reader),
            should_stop=should_stop,
            on_progress=on_progress,
        )
        write_bytes(path, found.frame.to_parquet(index=False))
    return pd.read_parquet(path)


def pictures(insight: Insight) -> pd.DataFrame:
    """Spearman's rank correlation of what each picture says of tables: pictures by pictures; NaN where there are fewer
    than three tables."""
    from nexusflow.explain.faithfulness import agreement

    said = picture_values(insight)
    return agreement({str(name): said[name].to_numpy() for name in said.columns})


def picture_values(insight: Insight) -> pd.DataFrame:
    """What each picture says of each table: a line per role, a column per picture.

    Attention is how much a table is looked at on average, gradients are there once columns were computed, Shapley
    values are root mean squares over a sample (in units of the output, as gradients are), and hiding is the measure of
    the check.
    """
    from nexusflow.explain.attribution import shapley

    check = insight.faithfulness().frame.set_index("name").reindex(insight.roles)
    looked = np.nanmean(insight.attention().matrix.to_numpy(), axis=0)
    shown = {"Attention": looked, "Draws on": insight.rollout()["share"].to_numpy()}
    if insight.has_attributions:
        _, found = insight.attributions()
        totals = found.frame.groupby(["example", "role"])["score"].sum().pow(2).groupby("role").sum()
        mean = totals.reindex(insight.roles, fill_value=0.0).to_numpy() / len(found.output)
        shown["Gradients"] = np.sqrt(mean)
    values = kept_array(
        insight.folder / "shapley.npy",
        lambda: shapley(insight.trained, insight.reader, insight.sample(ROWS_HIDDEN)),
    )
    shown["Shapley"] = np.sqrt((values**2).mean(axis=0))
    return pd.DataFrame({**shown, "Hiding": check["change"].to_numpy()}, index=list(insight.roles))
