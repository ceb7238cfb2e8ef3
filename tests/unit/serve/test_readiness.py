"""Readiness: every check is told, and none can hang or break the answer."""

import threading
import time

from agatha.serve import CheckResult, database_check, storage_check
from agatha.serve.health import Readiness


def passing():
    return CheckResult(True, "fine", {"provider": "CPUExecutionProvider"})


def test_ready_when_every_check_passes(store, client_of):
    checks = {"models": passing, "database": database_check(store.database), "storage": storage_check(store.files, 1)}
    answer = client_of(store, checks=checks).get("/health/ready")
    body = answer.json()
    assert (answer.status_code, body["status"], body["version"]) == (200, "ready", "1.2.3")
    assert set(body["checks"]) == {"models", "database", "storage"}
    assert body["checks"]["models"] == {"ok": True, "detail": "fine", "facts": {"provider": "CPUExecutionProvider"}}


def test_one_failing_check_makes_503_and_is_named(store, client_of):
    checks = {"models": passing, "storage": storage_check(store.files, 2**62)}
    answer = client_of(store, checks=checks).get("/health/ready")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert (checks["models"]["ok"], checks["storage"]["ok"]) == (True, False)
    assert str(2**62) in checks["storage"]["detail"]


def test_a_dead_database_fails_its_check(store):
    store.database.close()
    (store.folder / "agatha.db").unlink()
    (store.folder / "agatha.db").mkdir()
    result = database_check(store.database)()
    assert not result.ok
    assert "StoreUnavailable" in result.detail


def test_a_check_that_raises_fails_without_telling_the_text():
    def broken():
        raise RuntimeError("CANARY^PHI")

    outcome = Readiness({"broken": broken}).run()["broken"]
    assert (outcome.ok, outcome.detail) == (False, "the check failed (RuntimeError)")


def test_a_hanging_check_is_reported_in_time_and_not_started_twice():
    started, release = [], threading.Event()

    def hanging():
        started.append(1)
        release.wait(20)
        return CheckResult(True, "late")

    readiness = Readiness({"hanging": hanging, "models": passing}, timeout_s=0.05)
    try:
        before = time.monotonic()
        for _ in range(3):
            outcomes = readiness.run()
            assert not outcomes["hanging"].ok
            assert "no answer within 0.05 s" in outcomes["hanging"].detail
            assert outcomes["models"].ok
        assert time.monotonic() - before < 5
        assert len(started) == 1
    finally:
        release.set()
    deadline = time.monotonic() + 10
    while not readiness.run()["hanging"].ok and time.monotonic() < deadline:
        time.sleep(0.01)
    assert readiness.run()["models"].ok
    readiness.close()


def test_liveness_touches_no_check(store, client_of):
    def forbidden():
        raise AssertionError("liveness ran a check")

    answer = client_of(store, checks={"x": forbidden}).get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
