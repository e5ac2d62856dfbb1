"""How long until the app's first page is there? `python -m benchmarks.first_paint.run`

A server that has been visited once, and a new browser context per visit: seconds from the request until the page's
heading can be seen.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.report import spread, write_report

ROOT = Path(__file__).parents[2]
CONFIG = {"visits": 7, "width": 1440, "height": 1000}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def visit(browser: Browser, url: str) -> float:
    """Seconds until the heading of a fresh visit is visible."""
    context = browser.new_context(viewport={"width": CONFIG["width"], "height": CONFIG["height"]})
    page = context.new_page()
    start = time.perf_counter()
    page.goto(url)
    page.locator("h1").first.wait_for()
    seconds = time.perf_counter() - start
    context.close()
    return seconds


def main() -> None:
    """Run, and write the report beside this file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = subprocess.run(
        ["bash", "scripts/browser.sh"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as home:
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
                url = f"http://127.0.0.1:{port}"
                cold = visit(browser, url)
                time.sleep(15)
                warm = [visit(browser, url) for _ in range(CONFIG["visits"])]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)
    write_report(Path(__file__).parent, CONFIG, {"first_visit_seconds": cold, "warm_seconds": spread(warm)})


if __name__ == "__main__":
    main()
