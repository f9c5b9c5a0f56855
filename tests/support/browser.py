"""Chromium without a window, which writes down what it asks the net for and who wanted it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.patience import patience

DEADLINE_S = patience(120)
NOWHERE = "127.0.0.1:9"  # as proxy: nothing leaves this machine, the page's requests no more than Chromium's own
OWN = "not an origin"  # who wanted what Chromium itself asks its maker for: the time, updates
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
    f"--proxy-server={NOWHERE}", "--proxy-bypass-list=<-loopback>",
)  # fmt: skip


def chromium(
    page: Path | str, folder: Path, *arguments: str, width: int = 1200, height: int = 2400
) -> tuple[str, set[str]]:
    """Open a page, a file or an address of a server on this machine; what Chromium prints, and whom the page asked.

    Raises:
        AssertionError: no Chromium, or it failed.
    """
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "this test needs Chromium: apt-get install -y chromium, or say where it is by CHROMIUM=…"
    log = folder / "net.json"
    here = (f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", f"--window-size={width},{height}")
    address = page.as_uri() if isinstance(page, Path) else page
    if not isinstance(page, Path):
        here += (f"--proxy-bypass-list={urlsplit(page).hostname}",)  # the last one counts
    command = [found, *OPTIONS, *here, *arguments, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, _asked(log)


def _asked(log: Path) -> set[str]:
    events = [event.get("params", {}) for event in json.loads(log.read_text(encoding="utf-8"))["events"]]
    requests = [event for event in events if "url" in event and "initiator" in event]
    return {event["url"] for event in requests if event["initiator"] != OWN}
