"""DCMTK's command-line programs as peers: who sends to us and who receives from us in another implementation."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers.postgres import missing

INSTALL = "apt-get install dcmtk"
START_TIMEOUT_S = 20.0

# What storescu proposes for a file in this transfer syntax, beside the uncompressed ones.
PROPOSE = {
    "1.2.840.10008.1.2": ("-xi",),
    "1.2.840.10008.1.2.1": ("-xe",),
    "1.2.840.10008.1.2.2": ("-xb",),
    "1.2.840.10008.1.2.1.99": ("-xd",),
    "1.2.840.10008.1.2.4.50": ("-xy",),
    "1.2.840.10008.1.2.4.51": ("-xx",),
    "1.2.840.10008.1.2.4.70": ("-xs",),
    "1.2.840.10008.1.2.4.80": ("-xt",),
    "1.2.840.10008.1.2.4.81": ("-xu",),
    "1.2.840.10008.1.2.4.90": ("-xv",),
    "1.2.840.10008.1.2.4.91": ("-xw",),
    "1.2.840.10008.1.2.5": ("-xr",),
}


def program(name: str) -> str:
    """Return the path of a DCMTK program; skip the test, or fail it in CI, when it is not installed."""
    found = shutil.which(name)
    if found is None:
        missing(f"DCMTK's {name} is not installed; {INSTALL}")
        raise AssertionError("unreachable: missing() skips or fails")
    return found


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def storescu(
    port: int,
    paths: Sequence[Path],
    *options: str,
    called: str = "AGATHA",
    calling: str = "STORESCU",
    timeout_s: float = 120.0,
) -> subprocess.CompletedProcess[str]:
    """Send files over one association; the output names each response's status."""
    command = [program("storescu"), "-v", "-aec", called, "-aet", calling, *options, "127.0.0.1", str(port)]
    return subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, timeout=timeout_s)


def start_storescu(port: int, paths: Sequence[Path], *options: str, called: str = "AGATHA") -> subprocess.Popen[bytes]:
    """Start sending in the background."""
    command = [program("storescu"), "-aec", called, *options, "127.0.0.1", str(port), *map(str, paths)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def echoscu(
    port: int, *, called: str = "AGATHA", calling: str = "ECHOSCU", timeout_s: float = 30.0
) -> subprocess.CompletedProcess[str]:
    """Ask for a C-ECHO; return code 0 means that it was confirmed."""
    command = [program("echoscu"), "-v", "-aec", called, "-aet", calling, "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)


@dataclass(frozen=True)
class ReceivingPeer:
    """A storescp that is listening."""

    ae_title: str
    port: int
    folder: Path

    def files(self) -> list[Path]:
        """Return the files received so far."""
        return sorted(path for path in self.folder.iterdir() if path.is_file())


@contextmanager
def storescp(folder: Path, *options: str, ae_title: str = "ARCHIVE") -> Iterator[ReceivingPeer]:
    """Run storescp, storing below `folder`; by default it accepts every transfer syntax it knows, bytes preserved."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [program("storescp"), "-aet", ae_title, "-od", str(folder), *(options or ("+xa", "+B")), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield ReceivingPeer(ae_title, port, folder)
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", timeout_s: float = START_TIMEOUT_S) -> None:
    """Wait until somebody listens on the port."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the peer ended with {process.returncode} before it listened")
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port} after {timeout_s} s")
