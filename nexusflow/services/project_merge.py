"""Changes made in a workspace carried into the configuration that it was opened from, which stays as it was written.

A three-way merge of plain settings: `original` is the file's, `base` what the workspace said when it had just been
opened, `now` what it says at present. Only where the last two differ does the file change, so what the workspace does
not know of, and what the file leaves to be proposed, stays.
"""

from collections.abc import Mapping
from typing import Any

from nexusflow.config import DatasetConfig

Data = Mapping[str, Any]

# What a table means is said in one breath: a kind or key that is not named there is proposed.
_MEANING = ("primary_key", "foreign_keys", "time_column")
_WHOLE = ("target",)


def merge(original: Data, base: Data, now: Data) -> dict[str, Any]:
    """The settings of the file with the workspace's changes."""
    merged = _merge_settings(
        original, _without(base, "datasets", "project_name"), _without(now, "datasets", "project_name")
    )
    if base["datasets"] != now["datasets"]:
        merged["datasets"] = _merge_datasets(original["datasets"], base["datasets"], now["datasets"])
    return merged


def _without(data: Data, *names: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in names}


def _merge_settings(original: Data, base: Data, now: Data) -> dict[str, Any]:
    merged = dict(original)
    for key, value in now.items():
        if value == base.get(key):
            continue
        below = merged.get(key)
        if isinstance(value, dict) and key not in _WHOLE and isinstance(below or {}, dict):
            merged[key] = _merge_settings(below or {}, base.get(key) or {}, value)
        else:
            merged[key] = value
    return merged


def _merge_datasets(original: list[Data], base: list[Data], now: list[Data]) -> list[dict[str, Any]]:
    """The datasets of now, in the order of the file; each table's meaning is taken over whole where it has changed.

    Where any foreign key has changed, every dataset says its own: a file that names some means that there are no
    others.
    """
    written, opened = _by_table(original), _by_table(base)
    rewired = [d["foreign_keys"] for d in base] != [d["foreign_keys"] for d in now]
    merged = []
    for dataset in sorted(now, key=lambda d: _place(original, _table(d))):
        table = _table(dataset)
        if table not in written or table not in opened:
            merged.append(dict(dataset))
            continue
        changed = {key for key, value in dataset.items() if value != opened[table].get(key)}
        meant = {key for key in dataset if key in _MEANING or key.endswith("_columns")}
        if changed & meant:
            changed |= meant
        if rewired:
            changed.add("foreign_keys")
        merged.append({**written[table], **{key: dataset[key] for key in dataset if key in changed}})
    return merged


def _table(dataset: Data) -> str:
    return DatasetConfig(name=dataset["name"]).table


def _by_table(datasets: list[Data]) -> dict[str, Data]:
    return {_table(dataset): dataset for dataset in datasets}


def _place(original: list[Data], table: str) -> int:
    tables = [_table(dataset) for dataset in original]
    return tables.index(table) if table in tables else len(tables)
