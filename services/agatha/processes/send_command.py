"""`agatha send`: files to a C-STORE SCP, with progress."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from agatha.deliver import Receipt, parse_destination
from agatha.deliver import send as send_paths
from agatha.processes.dicom_files import dicom_files

#: Files of one association: few enough that one broken peer connection does not cost a whole archive.
FILES_PER_ASSOCIATION: Final = 500


def send_files(path: Path, to: str, calling_ae_title: str, *, as_json: bool, console: Console) -> int:
    """Send every DICOM file below `path`; 0 when all were taken, 1 when not, 3 when there is none.

    Raises
    ------
    InvalidDestination
        When `to` is not AE@host:port.
    DeliveryFailed
        When no association comes about.
    """
    destination = parse_destination(to)
    paths, skipped = dicom_files(path)
    if not paths:
        console.print(f"no DICOM file below {path}")
        return 3
    receipts: list[Receipt] = []
    with Progress(console=console, disable=as_json) as progress:
        bar = progress.add_task(f"C-STORE to {destination.ae_title}", total=len(paths))
        for batch in _batches(paths):
            receipts += send_paths(batch, destination, calling_ae_title, on_receipt=lambda _: progress.advance(bar))
    refused = [receipt for receipt in receipts if not receipt.is_delivered]
    if as_json:
        failures = [
            {"sop_instance_uid": r.sop_instance_uid, "status": r.dimse_status, "error": r.error} for r in refused
        ]
        print(json.dumps({"sent": len(receipts) - len(refused), "not_dicom": skipped, "failures": failures}))
    else:
        console.print(f"{len(receipts) - len(refused)} of {len(paths)} taken, {skipped} other files skipped")
        for receipt in refused[:10]:
            console.print(f"  {receipt.sop_instance_uid}: {receipt.error}")
    return 1 if refused else 0


def _batches(paths: list[Path]) -> Iterator[list[Path]]:
    remaining = iter(paths)
    while batch := list(islice(remaining, FILES_PER_ASSOCIATION)):
        yield batch
