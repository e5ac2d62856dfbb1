"""A configuration as a YAML file that explains itself."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

HEAD = """\
# What to predict, from which tables, and how: the whole truth of a run. A key without effect is refused.
#   nexusflow train --dry-run    checks it and tells size and time, from this project's folder
#   nexusflow train              trains it
#   nexusflow app --project .    opens it in the workbench, which writes it back
"""
SECTIONS = {
    "target": "What to predict: a column of a table, or a question over time. With cutoff_column (a date per row), "
    "rows of other tables are read up to that date and no further.",
    "datasets": "A table each: its file (beside this one or in datasets/), which encoder reads it (ft_transformer, "
    "tabnet or standard; small, medium or large), its keys, and from when on its rows are known (time_column).",
    "architecture": "The network that joins the tables.",
    "training": "How it learns.",
}
KEYS = {
    "global_embed_dim": "width of a row's vector",
    "num_blocks": "layers",
    "num_heads": "attention heads; they divide the width",
    "refinement_iterations": "the most passes over a row",
    "use_moe": "a mixture of experts in each block",
    "num_experts": "of that mixture",
    "hops": "how many foreign keys away from the target's table are read",
    "rows_per_key": "the latest rows read per foreign key; all count in the summaries",
    "batch_size": "null: by the number of rows",
    "epochs": "the most; null: as many as rows and tables leave time for",
    "early_stopping": "ends where the validation loss falls no more",
    "patience": "so many epochs without a lower one",
    "baselines": "gradient boosting and the best constant, to compare with",
    "max_minutes": "for the whole run; null: no limit",
    "randomize": "false: split by time",
    "device": "auto, cpu or cuda",
    "seed": "the same seed draws the same",
}
_COMMENTED = ("architecture", "training")
_LINE = re.compile(r"^( +)([a-z_]+): (?![\[{|>'\"])(\S+)$")


class _Dumper(yaml.SafeDumper):
    """Lists of plain values, and keys of foreign keys, on one line; items of lists are indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _plain(value: Any) -> bool:
    return not isinstance(value, list | dict)


def _list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=all(map(_plain, data)))


def _dict(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style="references_table" in data)


_Dumper.add_representer(list, _list)
_Dumper.add_representer(dict, _dict)


def commented_yaml(data: Mapping[str, Any]) -> str:
    """Settings as YAML text with a word on each section and on the keys that one changes first."""
    parts = [HEAD]
    for name, value in data.items():
        text = yaml.dump({name: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
        if name in _COMMENTED:
            text = "\n".join(_with_comment(line) for line in text.splitlines()) + "\n"
        said = SECTIONS.get(name)
        parts.append((_wrapped(said) if said else "") + text)
    return "\n".join(parts)


def _with_comment(line: str) -> str:
    found = _LINE.match(line)
    word = KEYS.get(found[2]) if found else None
    return f"{line:<32} # {word}" if word else line


def _wrapped(text: str) -> str:
    from textwrap import fill

    return fill(text, 106, initial_indent="# ", subsequent_indent="# ") + "\n"
