"""Instance files: durable in the right order, never outside the folder, nothing half-written."""

import errno
import hashlib
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from agatha.store.errors import InvalidStorageKey, StorageFull, UnsupportedStorage
from agatha.store.instance_files import LocalInstanceFiles, open_instance_files

UIDS = ("1.2.1", "1.2.1.1", "1.2.1.1.1")


@pytest.fixture
def files(tmp_path: Path) -> LocalInstanceFiles:
    return LocalInstanceFiles(tmp_path / "storage")


def receive(files: LocalInstanceFiles, data: bytes, uids: tuple[str, str, str] = UIDS):
    with files.begin() as incoming:
        for start in range(0, len(data), 7):
            incoming.write(memoryview(data)[start : start + 7])
        return incoming.commit(*uids)


def temporary_files(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "storage" / "incoming").iterdir())


def test_committed_file_holds_the_bytes_and_their_hash(files: LocalInstanceFiles, tmp_path: Path) -> None:
    data = bytes(range(256)) * 5
    stored = receive(files, data)
    assert (stored.sha256, stored.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert files.exists(stored.key)
    with files.open(stored.key) as file:
        assert file.read() == data
    assert temporary_files(tmp_path) == []
    assert stat.S_IMODE(files.path(stored.key).stat().st_mode) == 0o600


def test_file_is_on_disk_before_it_has_its_name_and_the_name_before_success(
    files: LocalInstanceFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        steps.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def note_replace(source: Path, target: Path) -> None:
        steps.append(("rename", str(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    stored = receive(files, b"x")
    target = files.path(stored.key)
    kinds = [kind for kind, _ in steps]
    renamed = steps.index(("rename", str(target)))
    assert kinds.count("rename") == 1
    assert steps[0][0] == "fsync"
    assert steps[0][1].endswith(".part")
    assert steps[renamed + 1] == ("fsync", str(target.parent))
    # Every folder that was made for the file is durable in its parent before the file moves there.
    root = tmp_path / "storage"
    made = [folder for folder in target.parents if root in folder.parents]
    for folder in made:
        assert ("fsync", str(folder.parent)) in steps[:renamed]


def test_folder_made_by_somebody_else_is_fsynced_too(files: LocalInstanceFiles, tmp_path: Path, monkeypatch) -> None:
    """Another process may have made it a moment ago and not fsynced it yet."""
    key = receive(files, b"x").key
    fsynced: list[str] = []
    fsync = os.fsync

    def note_fsync(descriptor: int) -> None:
        fsynced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note_fsync)
    receive(LocalInstanceFiles(tmp_path / "storage"), b"x")
    assert str(files.path(key).parent.parent) in fsynced
    fsynced.clear()
    receive(files, b"x")
    assert len(fsynced) == 2  # the file and its folder: what is known to be durable is not fsynced again


def test_two_contents_of_one_instance_are_two_files(files: LocalInstanceFiles) -> None:
    first, second = receive(files, b"a"), receive(files, b"b")
    assert first.key != second.key
    assert files.path(first.key).read_bytes() == b"a"
    assert files.path(second.key).read_bytes() == b"b"


def test_one_instance_received_many_times_at_once_is_one_whole_file(files: LocalInstanceFiles) -> None:
    start = threading.Barrier(6)

    def associate(_: int) -> str:
        start.wait()
        return receive(files, b"same" * 1000).key

    with ThreadPoolExecutor(6) as pool:
        (key,) = set(pool.map(associate, range(6)))
    assert files.path(key).read_bytes() == b"same" * 1000


@pytest.mark.parametrize(
    "hostile", ["../../../etc/passwd", "/etc/passwd", "a/b", "..", "\x00", "x" * 5000, "", "\udcff"]
)
def test_hostile_uid_stays_inside_the_folder(files: LocalInstanceFiles, tmp_path: Path, hostile: str) -> None:
    stored = receive(files, b"x", (hostile, hostile, hostile))
    path = files.path(stored.key).resolve()
    assert (tmp_path / "storage" / "instances") in path.parents
    with files.begin() as incoming:
        incoming.write(b"x")
        quarantined = incoming.quarantine(hostile)
    assert (tmp_path / "storage" / "quarantine") in files.path(quarantined.key).resolve().parents


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a\\b", "a\x00b", "a/"])
def test_key_that_leaves_the_folder_is_refused(files: LocalInstanceFiles, key: str) -> None:
    for use in (files.path, files.open, files.exists, files.remove, lambda bad: files.put(bad, b"x")):
        with pytest.raises(InvalidStorageKey):
            use(key)


def test_leaving_the_block_without_commit_removes_the_temporary_file(files: LocalInstanceFiles, tmp_path: Path) -> None:
    def break_off() -> None:
        with files.begin() as incoming:
            incoming.write(b"half")
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        break_off()
    assert temporary_files(tmp_path) == []


def test_full_disk_while_writing_is_reported_and_leaves_nothing(files: LocalInstanceFiles, tmp_path: Path) -> None:
    """/dev/full refuses every write with ENOSPC, as a full disk does."""
    incoming = files.begin()
    incoming._file.close()
    incoming._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    with pytest.raises(StorageFull, match="ENOSPC"):
        incoming.write(b"x")
    assert temporary_files(tmp_path) == []


@pytest.mark.parametrize(("name", "code"), [("fsync", errno.ENOSPC), ("replace", errno.EDQUOT)])
def test_full_disk_at_commit_is_reported_and_leaves_nothing(
    files: LocalInstanceFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with files.begin() as incoming:
        incoming.write(b"x")
        monkeypatch.setattr(os, name, refuse)
        with pytest.raises(StorageFull):
            incoming.commit(*UIDS)
    assert temporary_files(tmp_path) == []
    assert not list((tmp_path / "storage").rglob("*.dcm"))


def test_other_disk_errors_are_not_called_a_full_disk(files: LocalInstanceFiles, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "I/O error")

    with files.begin() as incoming:
        incoming.write(b"x")
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="I/O error"):
            incoming.commit(*UIDS)


def test_quarantine_keeps_a_file_apart_before_or_after_commit(files: LocalInstanceFiles) -> None:
    with files.begin() as incoming:
        incoming.write(b"bad")
        before = incoming.quarantine("1.2.3")
    with files.begin() as incoming:
        incoming.write(b"bad")
        committed = incoming.commit(*UIDS)
        after = incoming.quarantine("1.2.3")
    assert before == after
    assert files.path(after.key).read_bytes() == b"bad"
    assert not files.exists(committed.key)


def test_file_is_committed_only_once(files: LocalInstanceFiles) -> None:
    with files.begin() as incoming:
        incoming.write(b"x")
        incoming.commit(*UIDS)
        with pytest.raises(ValueError, match="already"):
            incoming.commit(*UIDS)


def test_put_replaces_in_one_step_and_remove_forgets(files: LocalInstanceFiles, tmp_path: Path) -> None:
    files.put("outputs/a.dcm", b"first")
    stored = files.put("outputs/a.dcm", b"second")
    assert stored == type(stored)("outputs/a.dcm", hashlib.sha256(b"second").hexdigest(), 6)
    assert files.path("outputs/a.dcm").read_bytes() == b"second"
    assert temporary_files(tmp_path) == []
    files.remove("outputs/a.dcm")
    files.remove("outputs/a.dcm")
    assert not files.exists("outputs/a.dcm")
    with pytest.raises(FileNotFoundError):
        files.open("outputs/a.dcm")


def test_sweep_removes_what_a_dead_process_left_and_not_what_is_being_received(
    files: LocalInstanceFiles, tmp_path: Path
) -> None:
    orphan = tmp_path / "storage" / "incoming" / "0.part"
    orphan.write_bytes(b"half")
    os.utime(orphan, (1, 1))
    with files.begin() as incoming:
        incoming.write(b"x")
        assert files.sweep_temporary(timedelta(hours=1)) == 1
        incoming.commit(*UIDS)
    assert not orphan.exists()


def test_free_space_is_that_of_the_file_system(files: LocalInstanceFiles) -> None:
    assert files.free_bytes() > 0


def test_storage_url_names_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    files = open_instance_files(folder.as_uri())
    assert files.path("a") == folder / "a"


@pytest.mark.parametrize("url", ["s3://bucket/x", "relative/path", "/absolute", "file://host/x", "file:relative", ""])
def test_other_storage_urls_are_refused(url: str) -> None:
    with pytest.raises(UnsupportedStorage, match="file:///"):
        open_instance_files(url)
