"""The listener is killed in the middle of transfers: what was answered with Success is on disk and in the database."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agatha.dicom.facts import read_instance_facts
from agatha.store import migrate
from agatha.store.database import Database
from agatha.store.instance_files import LocalInstanceFiles
from integration.receive.ct_instances import SERIES, ct_instance, data_set_of, encoded
from integration.receive.raw_scu import RawScu
from peers.dcmtk import free_port

SENDERS, ROUNDS, SUCCESS = 3, 3, 0x0000
SCRIPT = Path(__file__).with_name("listener_process.py")


@contextmanager
def listening(url: str, folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, str(SCRIPT), url, str(folder), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        while (line := process.stdout.readline()) and "listening" not in line:
            pass
        assert line, "the listener did not start"
        # The pipe is read to its end, or the listener would block on a full one.
        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        yield process
        process.kill()
        reader.join(timeout=20)
    finally:
        process.kill()
        process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()


def send_until_dead(port: int, sender: int, numbers: Iterator[int], acknowledged: dict[str, bytes]) -> None:
    """Send instances one after the other until the association is gone; remember the answered ones."""
    scu = RawScu(port, calling=f"SENDER{sender}")
    while scu.is_established:
        number = next(numbers)
        uid, data = f"{SERIES}.{number}", encoded(ct_instance(number, pixels=65536))
        if scu.store(data, uid) != SUCCESS:
            return
        acknowledged[uid] = data


def test_kill_in_the_middle_of_transfers(database_url: str, tmp_path: Path) -> None:
    migrate.upgrade(database_url)
    folder, port = tmp_path / "files", free_port()
    chance = random.Random(7)
    acknowledged: dict[str, bytes] = {}
    for round_ in range(ROUNDS):
        with listening(database_url, folder, port) as process:
            senders = [
                threading.Thread(
                    target=send_until_dead,
                    args=(port, sender, iter(range(1000 * (SENDERS * round_ + sender) + 1, 10**6)), acknowledged),
                )
                for sender in range(SENDERS)
            ]
            before = len(acknowledged)
            for thread in senders:
                thread.start()
            deadline = time.monotonic() + 60
            while len(acknowledged) < before + 10 and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.2))
            process.kill()
            for thread in senders:
                thread.join(timeout=90)
                assert not thread.is_alive()
    assert len(acknowledged) >= 10 * ROUNDS
    assert_everything_is_there(database_url, folder, acknowledged)

    with listening(database_url, folder, port), RawScu(port) as scu:
        for uid, data in list(acknowledged.items())[:5]:
            assert scu.store(data, uid) == SUCCESS
        assert scu.store(encoded(ct_instance(999_999)), f"{SERIES}.999999") == SUCCESS


def assert_everything_is_there(database_url: str, folder: Path, acknowledged: dict[str, bytes]) -> None:
    database, files = Database(database_url), LocalInstanceFiles(folder)
    with database.reading() as reading:
        series = reading.series_by_uid(SERIES)
        assert series is not None
        rows = {row.sop_instance_uid: row for row in reading.instances_of_series(series.id)}
    database.close()
    assert acknowledged.keys() <= rows.keys()
    for uid, data in acknowledged.items():
        stored = files.path(rows[uid].storage_key).read_bytes()
        assert data_set_of(stored) == data
    # No row without a whole file, acknowledged or not.
    for row in rows.values():
        assert read_instance_facts(files.path(row.storage_key)).sop_instance_uid == row.sop_instance_uid
    assert series.instance_count == len(rows)
