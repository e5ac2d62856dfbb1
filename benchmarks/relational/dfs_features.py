"""Features by Featuretools, made in its own environment: `python dfs_features.py FOLDER` (see methods/dfs.py).

FOLDER holds what `methods/dfs.py` hands over; the features come back as features.parquet, a row per instance, in order.
"""

import json
import sys
import warnings
from pathlib import Path

import featuretools as ft
import pandas as pd

# Featuretools' own defaults for aggregation, and the two that recency asks for.
AGGREGATIONS = ["sum", "std", "max", "skew", "min", "mean", "count", "percent_true", "num_unique", "mode"]
RECENCY = ["last", "time_since_last"]
LOGICAL = {"numeric": "Double", "categorical": "Categorical", "timestamp": "Datetime"}
# Row numbers are no numbers: as this type they link tables, and no feature is made of them.
LOGICAL |= dict.fromkeys(("row", "to"), "Unknown")


def main(folder: Path) -> None:
    """Read the tables, make the features as of each cutoff, write them."""
    warnings.simplefilter("ignore")
    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    cutoffs = pd.read_parquet(folder / "cutoffs.parquet")
    frames = {name: pd.read_parquet(folder / table["file"]) for name, table in asked["tables"].items()}
    links = [(parent, child, column) for child, t in asked["tables"].items() for column, parent in t["links"]]
    for parent, child, column in links:
        there = frames[child][column].isin(frames[parent]["row"])
        frames[child][column] = frames[child][column].where(there, asked["missing"])
    nobody = {parent for parent, child, column in links if (frames[child][column] == asked["missing"]).any()}
    if (cutoffs["row"] == asked["missing"]).any():
        nobody.add(asked["target"])
    cutoffs["row"] = cutoffs["row"].astype("str")
    entities = ft.EntitySet("asked")
    for name, frame in frames.items():
        frame = with_nobody(frame, asked["missing"]) if name in nobody else frame
        keys = [column for column in frame if column.split()[0] in ("row", "to")]
        entities.add_dataframe(
            dataframe_name=name,
            dataframe=frame.astype(dict.fromkeys(keys, "str")),
            index="row",
            time_index=asked["tables"][name]["time"],
            logical_types={
                column: LOGICAL[column.split()[0]] for column in frame if column.split()[0] in LOGICAL
            },
        )
    for parent, child, column in links:
        entities.add_relationship(parent, "row", child, column)
    features, _ = ft.dfs(
        entityset=entities,
        target_dataframe_name=asked["target"],
        cutoff_time=cutoffs.drop_duplicates(),
        cutoff_time_in_index=True,
        agg_primitives=AGGREGATIONS + RECENCY,
        # The last of no dates is no date, and Featuretools asks it for its month.
        primitive_options={"last": {"ignore_columns": {n: dates(f) for n, f in frames.items() if dates(f)}}},
        max_depth=asked["depth"],
        n_jobs=1,
    )
    wanted = pd.MultiIndex.from_frame(cutoffs)
    features = features.loc[~features.index.duplicated()].reindex(wanted).reset_index(drop=True)
    plain = {
        f"{number} {name}": plainly(features[name])
        for number, name in enumerate(features)
        if not pd.api.types.is_datetime64_any_dtype(features[name])
    }
    pd.DataFrame(plain, index=features.index).to_parquet(folder / "features.parquet", index=False)


def dates(frame: pd.DataFrame) -> list[str]:
    """The columns that hold dates or times."""
    return [column for column in frame if pd.api.types.is_datetime64_any_dtype(frame[column])]


def with_nobody(frame: pd.DataFrame, missing: int) -> pd.DataFrame:
    """The table with a row of nothing, for rows that refer to none: Featuretools wants every key to lead somewhere."""
    nobody = {"row": [missing], **{c: [missing] for c in frame if c.startswith("to ")}}
    if "known" in frame:
        nobody["known"] = [frame["known"].min()]
    return pd.concat([frame, pd.DataFrame(nobody)], ignore_index=True).astype({"row": "int64"})


def plainly(values: pd.Series) -> pd.Series:
    """Numbers as float64, everything else as text."""
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return values.astype("float64")
    return values.astype("object").where(values.notna(), None).astype("string")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
