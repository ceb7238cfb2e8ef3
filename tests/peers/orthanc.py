"""Orthanc as a peer: an archive that receives from us, tells over REST what it has, and sends to us."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.dcmtk import free_port, wait_for_port
from peers.postgres import missing

INSTALL = "apt-get install orthanc"
START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Archive:
    """An Orthanc that is running."""

    ae_title: str
    dicom_port: int
    http_port: int

    def get(self, path: str) -> Any:
        """GET a JSON resource."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=30) as response:
            return json.loads(response.read())

    def get_bytes(self, path: str) -> bytes:
        """GET a binary resource."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=30) as response:
            return bytes(response.read())

    def post(self, path: str, body: object) -> Any:
        """POST a JSON body."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.loads(response.read())

    def instances(self) -> dict[str, str]:
        """Return Orthanc's id of every stored instance, by SOP Instance UID."""
        return {each["MainDicomTags"]["SOPInstanceUID"]: each["ID"] for each in self.get("/instances?expand")}

    def file(self, orthanc_id: str) -> bytes:
        """Return the stored Part 10 file of an instance."""
        return self.get_bytes(f"/instances/{orthanc_id}/file")


def orthanc_program() -> str:
    """Return the path of Orthanc; skip the test, or fail it in CI, when it is not installed."""
    found = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        missing(f"Orthanc is not installed; {INSTALL}")
        raise AssertionError("unreachable: missing() skips or fails")
    return found


@contextmanager
def orthanc(
    folder: Path, *, modalities: Mapping[str, tuple[str, int]] | None = None, **settings: object
) -> Iterator[Archive]:
    """Run an empty Orthanc below `folder`.

    Parameters
    ----------
    modalities
        Name → (AE title, port on this machine) of those it knows.
    settings
        Further entries of its configuration, or other values for those below.
    """
    executable = orthanc_program()
    folder.mkdir(parents=True, exist_ok=True)
    dicom_port, http_port = free_port(), free_port()
    configuration: dict[str, object] = {
        "Name": "test archive",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowEcho": True,
        "OverwriteInstances": False,
        "DicomModalities": {name: [title, "127.0.0.1", port] for name, (title, port) in (modalities or {}).items()},
        "Plugins": [],
        **settings,
    }
    written = folder / "orthanc.json"
    written.write_text(json.dumps(configuration))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([executable, str(written)], stdout=log, stderr=log)
        try:
            wait_for_port(http_port, process, START_TIMEOUT_S)
            wait_for_port(dicom_port, process, START_TIMEOUT_S)
            yield Archive("ORTHANC", dicom_port, http_port)
        finally:
            process.terminate()
            process.wait(timeout=60)
