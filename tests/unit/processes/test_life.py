"""Signs of life, health, and dying with the parent."""

import os
import subprocess
import sys
import time

from agatha.processes.health import problem_of
from agatha.processes.life import (
    STALE_AFTER_S,
    SignOfLife,
    life_file,
    note_provider,
    providers_in_use,
    seconds_since_life,
)
from agatha.processes.settings import read_settings


def age(path, seconds):
    past = time.time() - seconds
    os.utime(path, (past, past))


def test_a_process_that_never_lived_is_not_alive(tmp_path):
    problem = problem_of("worker", read_settings({"data_dir": tmp_path}))
    assert problem == "worker: no sign of life for ever"


def test_a_sign_of_life_counts_until_it_is_stale(tmp_path):
    settings = read_settings({"data_dir": tmp_path})
    SignOfLife(tmp_path, "scheduler").beat()
    assert problem_of("scheduler", settings) is None
    age(life_file(tmp_path, "scheduler"), STALE_AFTER_S + 1)
    assert "no sign of life" in problem_of("scheduler", settings)


def test_a_listener_that_beats_but_does_not_listen_is_not_alive(tmp_path):
    settings = read_settings({"data_dir": tmp_path, "dicom_port": 1})
    SignOfLife(tmp_path, "listener").beat()
    assert "does not accept connections" in problem_of("listener", settings)


def test_an_api_that_does_not_answer_is_not_alive(tmp_path):
    assert "does not answer" in problem_of("api", read_settings({"data_dir": tmp_path, "http_port": 1}))


def test_a_full_or_missing_disk_is_no_reason_to_die(tmp_path, capsys):
    (tmp_path / "run").write_text("a file where the folder should be")
    SignOfLife(tmp_path, "worker").beat()
    assert "sign of life not written" in capsys.readouterr().err


def test_readiness_names_the_providers_of_living_workers_only(tmp_path):
    assert providers_in_use(tmp_path) == []
    note_provider(tmp_path, "CUDAExecutionProvider")
    assert providers_in_use(tmp_path) == [], "a worker that was never alive"
    SignOfLife(tmp_path, "worker").beat()
    assert providers_in_use(tmp_path) == ["CUDAExecutionProvider"]
    age(life_file(tmp_path, "worker"), STALE_AFTER_S + 1)
    assert seconds_since_life(life_file(tmp_path, "worker")) > STALE_AFTER_S
    assert providers_in_use(tmp_path) == []


def test_a_child_ends_when_its_parent_lets_go():
    script = (
        "from agatha.processes.life import stop_on_signal, stop_with_parent\n"
        "stop = stop_on_signal(); stop_with_parent(); print('up', flush=True)\n"
        "raise SystemExit(0 if stop.wait(30) else 1)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"up\n"
        child.stdin.close()
        assert child.wait(timeout=20) == 0
