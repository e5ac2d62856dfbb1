"""How smooth is the canvas at 100 tables of 30 columns? `python -m benchmarks.canvas.run`

A headless Chromium without a graphics card, on the machine that also runs the server. Frames are those that the page
is asked to draw while the mouse moves for `seconds`: panning the whole drawing and dragging one card, with the cards
folded to their keys (what the app does by itself at this size) and with all columns shown, at the zoom that shows
everything and at full size. Seconds to the first card are those of a server that has just started, and of the page
loaded again; an operation is acknowledged once it is on disk and the page no longer keeps it to send it again.
"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import Page, sync_playwright

from benchmarks.report import write_report
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.services.workspace import Workspace

ROOT = Path(__file__).parents[2]
CONFIG = {"tables": 100, "columns": 30, "rows": 200, "seconds": 3, "width": 1440, "height": 1000, "seed": 7}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WATCH = """() => {
    window.frames_seen = [];
    const see = (now) => { window.frames_seen.push(now); window.frame_request = requestAnimationFrame(see); };
    window.frame_request = requestAnimationFrame(see);
}"""
OPERATIONS = 10
ACKED = """() => Object.keys(sessionStorage).filter((name) => name.startsWith("nexusflow.ops"))
    .every((name) => sessionStorage[name] === "[]")"""
READ = "() => { cancelAnimationFrame(window.frame_request); return window.frames_seen; }"


def database() -> tuple[list[tuple[str, bytes]], Schema]:
    """Tables that each refer to one or two earlier ones, some of them hubs."""
    rng = np.random.default_rng(CONFIG["seed"])
    count, rows = CONFIG["tables"], CONFIG["rows"]
    files, tables, keys = [], {}, []
    for number in range(count):
        name = f"table_{number:03}"
        parents = sorted({int(rng.integers(0, number) ** 2 / number) for _ in range(2)}) if number else []
        frame = {"id": np.arange(rows)} | {f"table_{p:03}_id": rng.integers(0, rows, rows) for p in parents}
        frame |= {
            f"measure_{n:02}": rng.normal(size=rows).round(3) for n in range(CONFIG["columns"] - len(frame))
        }
        kinds = {c: Kind.NUMERIC if c.startswith("measure") else Kind.KEY for c in frame}
        columns = tuple(Column(name=c, kind=k) for c, k in kinds.items())
        tables[name] = TableSchema(name=name, columns=columns, primary_key=("id",))
        keys += [
            ForeignKey(
                child_table=name,
                child_columns=(f"table_{p:03}_id",),
                parent_table=f"table_{p:03}",
                parent_columns=("id",),
            )
            for p in parents
        ]
        files.append((f"{name}.csv", pd.DataFrame(frame).to_csv(index=False).encode()))
    return files, Schema(tables=tables, foreign_keys=tuple(keys))


def moved(page: Page, start: tuple[float, float]) -> dict[str, float]:
    """Hold the mouse down and move it in a circle; frames per second, and the slow frames in milliseconds."""
    page.mouse.move(*start)
    page.mouse.down()
    page.evaluate(WATCH)
    began = time.perf_counter()
    while (gone := time.perf_counter() - began) < CONFIG["seconds"]:
        page.mouse.move(start[0] + 160 * np.sin(3 * gone), start[1] + 90 * np.sin(2 * gone))
    seen = page.evaluate(READ)
    page.mouse.up()
    page.wait_for_timeout(1500)
    gaps = np.diff(seen)
    return {
        "frames_per_second": 1000 * len(gaps) / (seen[-1] - seen[0]),
        "median_frame_ms": statistics.median(gaps),
        "p95_frame_ms": float(np.percentile(gaps, 95)),
    }


def empty_spot(page: Page) -> tuple[float, float]:
    """A point of the drawing without a card, badge or panel."""
    box = page.locator(".flow").bounding_box()
    assert box is not None
    for x in np.linspace(0.3, 0.9, 25):
        for y in np.linspace(0.15, 0.85, 25):
            spot = (box["x"] + x * box["width"], box["y"] + y * box["height"])
            hit = page.locator(".nf-canvas").evaluate(
                "(e, [x, y]) => e.getRootNode().elementFromPoint(x, y)?.getAttribute('class') ?? ''",
                list(spot),
            )
            if "react-flow__pane" in hit:
                return spot
    raise RuntimeError("no empty spot to pan from")


def card_head(page: Page) -> tuple[float, float]:
    """The head of a card near the middle."""
    box = page.locator(".flow").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    spots = []
    for head in page.locator(".card .head .name").all():
        place = head.bounding_box()
        if place:
            spots.append((place["x"] + min(20, place["width"] / 2), place["y"] + place["height"] / 2))
    return min(spots, key=lambda spot: abs(spot[0] - middle[0]) + abs(spot[1] - middle[1]))


def first_card(page: Page, url: str) -> float:
    """Seconds from the address to a card; then a pause, until everything has come to rest."""
    began = time.perf_counter()
    page.goto(url)
    page.locator(".card").first.wait_for(timeout=120_000)
    seconds = time.perf_counter() - began
    page.wait_for_timeout(12_000)
    return seconds


def acknowledged(page: Page) -> dict[str, float]:
    """Seconds until an operation, a column made the primary key or no longer, is acknowledged."""
    find(page, "table_010.measure_00")
    page.wait_for_function(ACKED)
    seconds = []
    for _ in range(OPERATIONS):
        began = time.perf_counter()
        page.keyboard.press("p")
        page.wait_for_function(f"() => !({ACKED})()")
        page.wait_for_function(ACKED)
        seconds.append(time.perf_counter() - began)
        page.wait_for_timeout(1000)
    return {"median_seconds": statistics.median(seconds), "slowest_seconds": max(seconds)}


def find(page: Page, name: str) -> None:
    """Bring a table or column to the middle of the window."""
    page.get_by_label("Find a table or column").fill(name)
    page.keyboard.press("Enter")
    page.wait_for_timeout(2500)


def measure(page: Page, url: str) -> dict[str, Any]:
    """Seconds to the first card, frames in every state, and seconds per operation."""
    results: dict[str, Any] = {"first_card_seconds": first_card(page, url)}
    results["first_card_again_seconds"] = first_card(page, url)
    for columns in ("keys_only", "all_columns"):
        if columns == "all_columns":
            page.get_by_role("button", name="All columns", exact=True).click()
            page.wait_for_timeout(3000)
            page.get_by_role("button", name="Auto-layout").click()
            page.wait_for_timeout(12_000)
        for zoom in ("whole", "full_size"):
            page.get_by_role("button", name="Fit to window").click()
            page.wait_for_timeout(1500)
            if zoom == "full_size":
                find(page, "table_010")
            cards = page.locator(".card").count()
            pan = moved(page, empty_spot(page))
            drag = moved(page, card_head(page))
            results[f"{columns}_{zoom}"] = {"cards_in_the_page": cards, "pan": pan, "drag": drag}
    results["operation_acknowledged"] = acknowledged(page)
    return results


def main() -> None:
    """Run, and write the report beside this file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = subprocess.run(
        ["bash", "scripts/browser.sh"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace.open("canvas-benchmark", Path(home))
        files, schema = database()
        workspace.add_files(files)
        workspace.save_schema(schema)
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        server = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "NEXUSFLOW_HOME": home}, stdout=subprocess.DEVNULL
        )
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.2)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
                page = browser.new_page(viewport={"width": CONFIG["width"], "height": CONFIG["height"]})
                results = measure(page, f"http://127.0.0.1:{port}/schema?ws={workspace.id}")
                if folder := os.environ.get("NEXUSFLOW_PICTURES"):
                    page.screenshot(path=f"{folder}/canvas_benchmark.png")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)
    # Other work on the machine takes frames away: its load before the run stands in the report.
    write_report(Path(__file__).parent, CONFIG, {"load_before": load, **results})


if __name__ == "__main__":
    main()
