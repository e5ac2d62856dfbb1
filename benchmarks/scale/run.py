"""How do time and memory grow with the rows? `python -m benchmarks.scale.run [--rows N ...]`

A shop of 10,000 to 10,000,000 orders lies in Parquet files. `nexusflow`: seconds to take them in, to index them, and to
sample the context of 100,000 seeds (their 16 latest orders, and the products of these); then what a training reads
besides. `duckdb`: the same context in SQL, from a database file made of these files, and from the files themselves.
`steps`: a training step on 64 customers. Each in a process of its own, whose peak of memory is told. Slopes are of
the line through the logarithms.

`dfs`: Featuretools with a cut-off time per customer, on sizes that it finishes in time; what a larger one would take
is the line through the logarithms carried on. Its environment is that of `benchmarks.relational`.

Processor seconds stand beside wall seconds because a busy machine stretches these; `load` is the machine's at the end.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.relational.methods.dfs import environment, no_featuretools
from benchmarks.report import write_report
from benchmarks.scale import measure

CONFIG: dict[str, Any] = {
    "rows": [10_000, 100_000, 1_000_000, 10_000_000],
    "seeds": 100_000,
    "repeats": 3,
    "steps": {"batch": 64, "warm_up": 10, "repeats": 60, "threads": 1},
    "duckdb": {"threads": 2},
    "dfs": {"rows": [10_000, 30_000, 100_000, 300_000], "timeout": 170},
    "seed": 0,
}
FOLDER = Path(__file__).parent
PARTS = ("nexusflow", "duckdb", "steps", "dfs")
JOB = ("ingest", "index", "context")


def slope(rows: Sequence[float], values: Sequence[float]) -> float:
    """Of the least-squares line through the logarithms of both: 1 where the value grows as the rows do."""
    return float(np.polyfit(np.log(rows), np.log(values), 1)[0])


def carried_on(rows: Sequence[float], values: Sequence[float], to: float) -> float:
    """What the line through the logarithms comes to at so many rows."""
    line = np.polyfit(np.log(rows), np.log(values), 1)
    return float(np.exp(np.polyval(line, np.log(to))))


def case(part: str, folder: Path) -> dict[str, Any]:
    """What this process measures of the shop in this folder."""
    if part == "nexusflow":
        return measure.nexusflow(folder, CONFIG["seeds"], CONFIG["seed"])
    if part == "duckdb":
        return measure.duckdb(folder, CONFIG["seeds"], CONFIG["seed"], **CONFIG["duckdb"])
    return measure.steps(folder, seed=CONFIG["seed"], **CONFIG["steps"])


def summed(found: Mapping[str, Any], stages: Sequence[str], what: str = "seconds") -> float:
    """The seconds of these stages together."""
    return sum(float(found["stages"][stage][what]) for stage in stages if stage in found["stages"])


def conclusions(
    sizes: Mapping[int, Mapping[str, Any]], dfs: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    """Slopes over all sizes and over the two largest, and what is faster than what at the largest."""
    rows, found = sorted(sizes), {}
    largest = rows[-1]
    ours = [sizes[n] for n in rows if "nexusflow" in sizes[n]]
    if len(ours) == len(rows) > 1:
        for name, what in (("wall", "seconds"), ("processor", "processor_seconds")):
            taken = [summed(one["nexusflow"], JOB[:2], what) for one in ours]
            found[f"slope_{name}"] = slope(rows, taken)
            found[f"slope_{name}_two_largest"] = slope(rows[-2:], taken[-2:])
        found["slope_peak_megabytes"] = slope(rows, [one["nexusflow"]["peak_megabytes"] for one in ours])
    steps = [sizes[n]["steps"] for n in rows if "steps" in sizes[n]]
    if steps:
        for what in ("milliseconds", "processor_milliseconds"):
            taken = [one[what] for one in steps]
            found[f"step_{what}_largest_over_smallest"] = max(taken) / min(taken)
    best = sizes[largest]
    if "nexusflow" in best and "duckdb" in best:
        rival = best["duckdb"]
        for name, what in (("wall", "seconds"), ("processor", "processor_seconds")):
            mine = summed(best["nexusflow"], JOB, what)
            found[f"duckdb_over_nexusflow_{name}"] = summed(rival, JOB, what) / mine
            straight = summed(rival, ["straight from the files"], what)
            found[f"duckdb_from_files_over_nexusflow_{name}"] = straight / mine
        theirs = (rival["rows_sampled"], rival["order_ids"])
        found["same_rows_as_duckdb"] = theirs == (
            best["nexusflow"]["rows_sampled"],
            best["nexusflow"]["order_ids"],
        )
    if len(dfs) > 1 and "nexusflow" in best:
        finished = sorted(dfs)
        for name, what in (("wall", "seconds"), ("processor", "processor_seconds")):
            taken = carried_on(finished, [dfs[n][what] for n in finished], largest)
            found[f"dfs_{name}_seconds_carried_on"] = taken
            found[f"dfs_over_nexusflow_{name}"] = taken / summed(best["nexusflow"], JOB, what)
        found["dfs_slope"] = slope(finished, [dfs[n]["seconds"] for n in finished])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and write the report after each part; parts that are not asked for keep what the report has of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=CONFIG["rows"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=CONFIG["repeats"])
    parser.add_argument("--seeds", type=int, default=CONFIG["seeds"])
    parser.add_argument("--data", type=Path, help="where the shops are kept; by default they are thrown away")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    CONFIG["seeds"], CONFIG["repeats"] = given.seeds, given.repeats
    if given.case:
        part, folder = given.case
        print(json.dumps(case(part, Path(folder))))
        return
    CONFIG["rows"] = sorted(given.rows)
    sizes, dfs = _earlier(given.out)
    with tempfile.TemporaryDirectory() as scratch:
        data = given.data or Path(scratch)
        dfs = _all_dfs(data) if "dfs" in given.parts else dfs
        for part in [part for part in given.parts if part != "dfs"]:
            for rows, found in _medians(part, data).items():
                files = (data / f"{rows}-{CONFIG['seed']}").glob("*.parquet")
                sizes.setdefault(
                    rows, {"parquet_megabytes": sum(file.stat().st_size for file in files) / 1e6}
                )
                sizes[rows][part] = found
            told = {"sizes": sizes, "dfs": dfs, "conclusions": conclusions(sizes, dfs)}
            write_report(given.out, CONFIG, told)
        print(json.dumps(conclusions(sizes, dfs), indent=1))


def _earlier(folder: Path) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, Any]]]:
    """What the report there says of these very sizes and seeds, for the parts that are not asked for now."""
    config, report = folder / "config.json", folder / "report.json"
    if not report.is_file() or json.loads(config.read_text(encoding="utf-8")) != CONFIG:
        return {}, {}
    told = json.loads(report.read_text(encoding="utf-8"))
    sizes, dfs = ({int(rows): dict(one) for rows, one in told[what].items()} for what in ("sizes", "dfs"))
    return sizes, dfs


def shop(data: Path, rows: int) -> Path:
    """The folder of the shop with so many orders, written by a process of its own where it is not there."""
    folder = data / f"{rows}-{CONFIG['seed']}"
    if not (folder / "customers.parquet").is_file():
        code = "import sys; from pathlib import Path; from benchmarks.scale.database import write_database; "
        code += "write_database(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))"
        subprocess.run([sys.executable, "-c", code, str(folder), str(rows), str(CONFIG["seed"])], check=True)
    return folder


def _medians(part: str, data: Path) -> dict[int, dict[str, Any]]:
    """By rows, the run of middle processor seconds among some, each in a process of its own.

    All sizes take their turn before any comes again: a machine that slows down does so to all of them.
    """
    folders = {rows: shop(data, rows) for rows in CONFIG["rows"]}
    taken: dict[int, list[dict[str, Any]]] = {rows: [] for rows in folders}
    for _ in range(CONFIG["repeats"]):
        for rows, folder in folders.items():
            taken[rows].append(_apart(part, folder))
    middle = {}
    for rows, all_of_it in taken.items():
        found = sorted(all_of_it, key=_busy)
        middle[rows] = {
            **found[len(found) // 2],
            "processor_seconds_of_all": [_busy(one) for one in found],
        }
        print(f"{rows:,}", part, json.dumps(middle[rows]), flush=True)
    return middle


def _busy(found: Mapping[str, Any]) -> float:
    stages = found.get("stages")
    return (
        summed(found, list(stages), "processor_seconds") if stages else found["processor_milliseconds"] / 1e3
    )


def _apart(part: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scale.run", "--seeds", str(CONFIG["seeds"])]
    done = subprocess.run([*command, "--case", part, str(folder)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _all_dfs(data: Path) -> dict[int, dict[str, Any]]:
    """What Featuretools takes, a seed per customer, on sizes that it finishes in time."""
    if reason := no_featuretools():
        print(reason, flush=True)
        return {}
    found: dict[int, dict[str, Any]] = {}
    for rows in CONFIG["dfs"]["rows"]:
        folder = shop(data, rows)
        measure.asked(folder, rows // 100, CONFIG["seed"]).to_parquet(folder / "seeds.parquet", index=False)
        command = [str(environment()), str(FOLDER / "dfs.py"), str(folder)]
        try:
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=CONFIG["dfs"]["timeout"]
            )
        except subprocess.TimeoutExpired:
            print(f"Featuretools does not finish {rows:,} rows in time", flush=True)
            break
        finally:
            (folder / "seeds.parquet").unlink()
        found[rows] = json.loads(done.stdout.splitlines()[-1])
        print(rows, "dfs", found[rows], flush=True)
    return found


if __name__ == "__main__":
    main()
