"""What does keeping the index and the encoded columns bring? `python -m benchmarks.cache.run`

Customers, and 1,000,000 events of theirs with an amount, a channel and a line of text, lie on disk as the workbench
keeps large tables. A question about the customers is made ready to be trained on: preprocessing is fitted and all
examples are read. Each way is measured in a process of its own, with one thread:

- `anew`: nothing is kept, index and columns are built for the fit and again for the reading, as without a cache
- `held`: built once, and used for both
- `cold`: built once, and written to an empty cache
- `warm`: read from it, by a process that has not read it before

Seconds are those from open tables to the first batch, `parts_seconds` those of the index and the columns alone. Memory
is what comes on top of what the process held before: `peak` while getting ready, `resident` of a reader at rest that
has gone through all batches, and `proportional` the same with mapped pages counted by their share where two processes
hold them. `two` are two such processes at once, and what they hold together. Figures are medians of the repeats.
"""

import contextlib
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.report import write_report
from nexusflow.data.cache import Anew, Cache, Held
from nexusflow.data.cache_disk import OnDisk
from nexusflow.data.cache_files import ArrayFiles
from nexusflow.data.examples import make_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.sources.store import store
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Split, Task, TaskKind

CONFIG: dict[str, Any] = {
    "customers": 20_000,
    "events": 1_000_000,
    "rows_per_key": 16,
    "batch": 512,
    "repeats": 3,
    "seed": 0,
    "threads": 1,
}
KINDS = {
    "customers": {"customer": "key", "age": "numeric", "asked": "timestamp", "left": "categorical"},
    "events": {
        "event": "key",
        "customer": "key",
        "when": "timestamp",
        "amount": "numeric",
        "channel": "categorical",
        "said": "text",
    },
}
TASK = Task(
    entity_table="customers",
    target_column="left",
    kind=TaskKind.BINARY,
    cutoff_column="asked",
    split=Split(),
    classes=("no", "yes"),
)
KEY = ForeignKey(
    child_table="events",
    child_columns=("customer",),
    parent_table="customers",
    parent_columns=("customer",),
)


def write_tables(folder: Path) -> None:
    """Customers and their events, as the workbench keeps large tables."""
    customers, events = CONFIG["customers"], CONFIG["events"]
    rng, start = np.random.default_rng(CONFIG["seed"]), pd.Timestamp("2022-01-01")
    names = np.array([f"C{number:07d}" for number in range(customers)])
    words = np.array(["late", "well", "refund", "again", "thanks", "broken", "lost", "found"])
    said = [" ".join(words[rng.integers(0, len(words), 3)]) for _ in range(500)]
    frames = {
        "customers": pd.DataFrame(
            {
                "customer": names,
                "age": rng.integers(18, 90, customers),
                "asked": start + pd.to_timedelta(rng.integers(600, 1000, customers), "D"),
                "left": rng.choice(["no", "yes"], customers),
            }
        ),
        "events": pd.DataFrame(
            {
                "event": np.arange(events),
                "customer": names[rng.integers(0, customers, events)],
                "when": start + pd.to_timedelta(rng.integers(0, 86_400_000, events), "s"),
                "amount": rng.exponential(20, events).round(2),
                "channel": rng.choice(["web", "phone", "shop"], events),
                "said": rng.choice(said, events),
            }
        ),
    }
    sheet = {}
    for name, frame in frames.items():
        table = pa.Table.from_pandas(frame, preserve_index=False)
        kept = store(f"{name}.csv", name, table.column_names, table.schema, [table], folder)
        sheet[name] = {"path": str(kept.path), "rows": kept.rows, "digest": kept.digest}
    (folder / "tables.json").write_text(json.dumps(sheet), encoding="utf-8")


def database(folder: Path) -> tuple[TableSet, Schema]:
    """What `write_tables` wrote, still on disk."""
    sheet = json.loads((folder / "tables.json").read_text(encoding="utf-8"))
    tables = {
        name: StoredTable(
            name=name,
            path=Path(kept["path"]),
            names=tuple(KINDS[name]),
            rows=kept["rows"],
            digest=kept["digest"],
        )
        for name, kept in sheet.items()
    }
    schemas = {
        name: TableSchema(
            name=name,
            columns=tuple(Column(name=c, kind=Kind(kind)) for c, kind in kinds.items()),
            primary_key=(next(iter(kinds)),),
            time_column="when" if name == "events" else None,
        )
        for name, kinds in KINDS.items()
    }
    return TableSet(tables=tables), Schema(tables=schemas, foreign_keys=(KEY,))


def case(way: str, folder: Path) -> None:
    """Get ready in this way, say on stdout how it went, and hold the reader until stdin ends."""
    import torch

    torch.set_num_threads(CONFIG["threads"])
    kept = OnDisk(ArrayFiles(folder / "cache", 10**11, lambda told: sys.exit(told)))
    cache: Cache = {"anew": Anew(), "held": Held(), "cold": Held(kept), "warm": Held(kept)}[way]
    watched = Watched(cache)
    tables, schema = database(folder)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before, plain, began = _status("VmRSS"), _status("RssAnon"), time.perf_counter()
    examples = make_examples(tables, schema, TASK)
    fitted = fit_preprocessing(
        tables, schema, TASK, examples, hops=1, rows_per_key=CONFIG["rows_per_key"], cache=watched
    )
    reader = Reader(fitted, tables, examples, watched)
    reader.batch(np.arange(CONFIG["batch"]))
    seconds = time.perf_counter() - began
    peak = _status("VmHWM") - before
    del cache, watched.source
    gc.collect()
    pa.default_memory_pool().release_unused()
    for start in range(0, len(reader), CONFIG["batch"]):
        reader.batch(np.arange(start, min(len(reader), start + CONFIG["batch"])))
    _say({"seconds": seconds, "parts_seconds": watched.seconds, "peak_megabytes": peak})
    sys.stdin.readline()
    own, mapped = _status("RssAnon") - plain, folder / "cache"
    _say(
        {
            "resident_megabytes": own + _mapped(mapped, "Rss"),
            "proportional_megabytes": own + _mapped(mapped, "Pss"),
        }
    )
    sys.stdin.readline()


class Watched:
    """A cache, and how long was waited for it."""

    def __init__(self, source: Cache) -> None:
        self.source, self.seconds = source, 0.0

    def index(self, *given: Any) -> Any:
        """See `Cache`; with all children, which may be looked for only when they are asked for."""

        def whole(*asked: Any) -> Any:
            index = self.source.index(*asked)
            for key in index.children:
                index.children[key]
            return index

        return self._timed(whole, given)

    def encoded(self, *given: Any) -> Any:
        """See `Cache`."""
        return self._timed(self.source.encoded, given)

    def _timed(self, ask: Callable[..., Any], given: tuple[Any, ...]) -> Any:
        began = time.perf_counter()
        try:
            return ask(*given)
        finally:
            self.seconds += time.perf_counter() - began


def _say(found: dict[str, float]) -> None:
    print(json.dumps(found), flush=True)


def _status(field: str) -> float:
    """Megabytes by the kernel's count."""
    rows = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(row for row in rows if row.startswith(field)).split()[1]) / 1e3


def _mapped(folder: Path, field: str) -> float:
    """Megabytes of the files below this folder that the process has mapped."""
    found, ours = 0, False
    for row in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        name, *rest = row.split()
        if not name.endswith(":"):
            ours = str(folder) in row
        elif ours and name == f"{field}:":
            found += int(rest[0])
    return found / 1e3


def apart(way: str, folder: Path, count: int) -> list[dict[str, float]]:
    """What so many processes at once find; each is asked for its memory when all are ready."""
    command = [sys.executable, "-m", "benchmarks.cache.run", "--case", way, str(folder)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    found = [_heard(process) for process in running]
    for process in running:
        _ask(process)
    held = [_heard(process) for process in running]
    for process in running:
        _ask(process)
        if process.wait():
            raise RuntimeError(f"a process that was to be {way} failed")
    return [{**one, **other} for one, other in zip(found, held, strict=True)]


def _heard(process: "subprocess.Popen[str]") -> dict[str, float]:
    assert process.stdout is not None
    found: dict[str, float] = json.loads(process.stdout.readline())
    return found


def _ask(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def main() -> None:
    """Run, and write the report beside this file."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_tables(folder)
        results: dict[str, Any] = {}
        for way in ("anew", "held", "cold", "warm"):
            runs = []
            for _ in range(CONFIG["repeats"]):
                if way == "cold":
                    _empty(folder / "cache")
                runs += apart(way, folder, 1)
            results[way] = _medians(runs)
            if way in ("held", "warm"):
                pairs = [apart(way, folder, 2) for _ in range(CONFIG["repeats"])]
                together = [sum(one["proportional_megabytes"] for one in pair) for pair in pairs]
                each = _medians([one for pair in pairs for one in pair])
                results[way]["two"] = {"together_megabytes": statistics.median(together), "each": each}
        size = sum(path.stat().st_size for path in (folder / "cache").rglob("*.npy"))
        results |= {"cache_megabytes": size / 1e6, "load": os.getloadavg()[0]}
        write_report(Path(__file__).parent, CONFIG, results)


def _medians(runs: list[dict[str, float]]) -> dict[str, Any]:
    return {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}


def _empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--case"]:
        case(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
