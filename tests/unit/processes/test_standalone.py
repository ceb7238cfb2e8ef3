"""The supervisor of the all-in-one service, with children that are not the real ones."""

import socket
import sys
import threading
import time

import pytest

from agatha.processes import standalone
from agatha.processes.settings import ConfigurationError, read_settings
from agatha.processes.standalone import Supervisor, child_environment, free_port

STEADY = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); time.sleep(60)"
WRONG_CONFIGURATION = "import sys; sys.exit(2)"


@pytest.fixture
def supervise(tmp_path, monkeypatch):
    """Start a supervisor whose children run a script instead of `agatha NAME`."""
    supervisors = []

    def start(script):
        (tmp_path / "child.sh").write_text(f"#!/bin/sh\nexec \"{sys.executable}\" -c '{script}'\n")
        (tmp_path / "child.sh").chmod(0o700)
        monkeypatch.setattr(standalone.sys, "executable", str(tmp_path / "child.sh"))
        monkeypatch.setattr(standalone, "FIRST_RESTART_S", 0.05)
        supervisor = Supervisor({}, tmp_path / "log")
        supervisor.start()
        supervisors.append(supervisor)
        return supervisor

    yield start
    for supervisor in supervisors:
        supervisor.stop()


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_that_is_killed_is_started_again(supervise):
    supervisor = supervise(STEADY)
    stop = threading.Event()
    watcher = threading.Thread(target=supervisor.watch, args=(stop,))
    watcher.start()
    before = supervisor.pid_of("worker")
    standalone.os.kill(before, 9)
    wait_for(lambda: supervisor.pid_of("worker") not in (None, before))
    stop.set()
    watcher.join()


def test_children_that_drain_make_a_clean_stop(supervise):
    supervisor = supervise(STEADY)
    time.sleep(0.5)  # until the handlers are installed
    assert supervisor.stop() is True
    assert all(supervisor.pid_of(name) is None for name in standalone.CHILDREN)


def test_a_child_that_does_not_drain_is_killed(supervise, monkeypatch):
    monkeypatch.setattr(standalone, "DRAIN_S", 0.3)
    supervisor = supervise("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)")
    time.sleep(0.5)
    assert supervisor.stop() is False
    assert all(supervisor.pid_of(name) is None for name in standalone.CHILDREN)


def test_a_wrong_configuration_is_not_tried_again(supervise):
    supervisor = supervise(WRONG_CONFIGURATION)
    supervisor.watch(threading.Event())  # returns by itself
    assert supervisor.usage_error in standalone.CHILDREN


def test_a_taken_port_is_named_with_its_variable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"AGATHA_DICOM_PORT: 127.0.0.1:{port} cannot be bound"):
            free_port("127.0.0.1", port, "AGATHA_DICOM_PORT")


def test_children_get_what_was_given_by_flag(tmp_path, monkeypatch):
    monkeypatch.setenv("AGATHA_DESTINATIONS", "A=X@h:1,B=Y@h:2")
    monkeypatch.setenv("AGATHA_API_TOKEN", "t0ken")
    settings = read_settings({"data_dir": tmp_path, "dicom_port": 11113, "ae_title": "OTHER"})
    environment = child_environment(settings)
    assert environment["AGATHA_DATA_DIR"] == str(tmp_path)
    assert (environment["AGATHA_DICOM_PORT"], environment["AGATHA_AE_TITLE"]) == ("11113", "OTHER")
    assert (environment["AGATHA_DESTINATIONS"], environment["AGATHA_API_TOKEN"]) == ("A=X@h:1,B=Y@h:2", "t0ken")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    again = read_settings()
    assert again.model_copy(update={"data_dir": settings.data_dir}) == settings
