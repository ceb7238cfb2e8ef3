"""Headless Chromium for tests: opens one address in a fresh profile and returns what a person would see.

`AGATHA_TEST_CHROMIUM` names the program; otherwise the usual names are looked up.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

GIVEN_PROGRAM = "AGATHA_TEST_CHROMIUM"
INSTALL = "apt-get update && apt-get install -y chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_S = 90

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


class Chromium:
    """One browser program; every call is a browser of its own."""

    def __init__(self, program: str) -> None:
        self._program = program

    def dom(self, address: str) -> str:
        """Return the document as the browser understood it, after scripts (if any) ran."""
        return self._run("--dump-dom", "--virtual-time-budget=2000", address)

    def screenshot(self, address: str, path: Path, *, width: int = 1280, height: int = 1600) -> Path:
        """Write a PNG of the window and return its path."""
        self._run(f"--screenshot={path}", f"--window-size={width},{height}", address)
        return path

    def _run(self, *arguments: str) -> str:
        with tempfile.TemporaryDirectory(prefix="agatha-chromium-", ignore_cleanup_errors=True) as profile:
            finished = subprocess.run(
                [self._program, *FLAGS, f"--user-data-dir={profile}", *arguments],
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                timeout=TIMEOUT_S,
            )
        return finished.stdout


def find_chromium() -> Chromium:
    """Return the browser; skip the test without one on a developer's machine, fail it in CI."""
    program = os.environ.get(GIVEN_PROGRAM) or next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        reason = f"no Chromium; {INSTALL}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return Chromium(program)
