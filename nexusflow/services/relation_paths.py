"""What is lost with a relation: every table that is reached through it hidden at once."""

import pandas as pd

from nexusflow.services.insight import Insight, OnProgress, ShouldStop, never, silent
from nexusflow.services.storage import write_bytes

FILE = "relation-paths.parquet"


def relation_paths(
    insight: Insight, *, should_stop: ShouldStop = never, on_progress: OnProgress = silent
) -> pd.DataFrame:
    """What hiding each path of relations does, with all that hangs under it, what moves most first; kept with the run.

    Columns: path (the names of its roles from the row on, an arrow between two), role (its last), tables (how many
    roles it hides), change (mean absolute change of the probability, or of the value), cost with its standard error
    cost_error (how much the loss of a row rises; NaN without known targets). Empty where the row is read alone.
    """
    from nexusflow.explain.ablation import ablation
    from nexusflow.explain.hiding import relation_paths as groups_of

    path = insight.folder / FILE
    if not path.is_file():
        groups, rows = groups_of(insight.reader), insight.sample()
        frame = pd.DataFrame(columns=["path", "role", "tables", "change", "cost", "cost_error"])
        if groups.names:
            found = ablation(
                insight.trained,
                insight.reader,
                rows,
                groups,
                should_stop=should_stop,
                on_progress=on_progress,
            ).frame
            frame = found.assign(
                path=[" → ".join(names) for names in role_paths(insight).values()],
                role=list(groups.names),
                tables=groups.hides_GT.sum(axis=1),
            )[list(frame.columns)].sort_values("change", ascending=False, kind="stable", ignore_index=True)
        write_bytes(path, frame.to_parquet(index=False))
    return pd.read_parquet(path)


def role_paths(insight: Insight) -> dict[str, tuple[str, ...]]:
    """Of every role but the row's own, in their order: the names of the roles on the way to it, the row's own first."""
    layout, told = insight.reader.layout.roles, {}
    for role in layout[1:]:
        names, above = [role.name], role.parent
        while above:
            names.append(layout[above].name)
            above = layout[above].parent
        told[role.name] = (layout[0].name, *reversed(names))
    return told
