"""The application behind a real server and socket: what only shows there."""

import socket
import threading
import time

import httpx
import pytest

from agatha.serve import create_app
from builders.findings import STUDY_UID
from builders.served_server import running
from builders.served_studies import facts, receive


@pytest.fixture
def address(store):
    with running(create_app(database=store.database, files=store.files, checks={}, version="1")) as base:
        yield base


def test_the_server_tells_nothing_about_itself_and_stops_when_asked(store, address):
    answer = httpx.get(f"{address}/api/v1/studies")
    assert answer.status_code == 200
    assert "server" not in answer.headers


def test_raw_rubbish_on_the_socket_leaves_the_service_up(address):
    host, port = address.removeprefix("http://").split(":")
    negative = b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"
    for rubbish in (b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 70000, negative):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(rubbish)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(10)
            try:
                while connection.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    assert httpx.get(f"{address}/health/live").status_code == 200


def test_many_readers_at_once_get_consistent_pages_while_studies_arrive(store, address):
    stop = threading.Event()

    def write():
        for n in range(40):
            receive(store, facts(f"1.7.{n}", f"1.7.{n}.1", f"1.7.{n}.1.1"))
        stop.set()

    problems = []

    def read():
        with httpx.Client(base_url=address, timeout=30) as client:
            while not stop.is_set():
                answer = client.get("/api/v1/studies?limit=200")
                uids = [item["study_instance_uid"] for item in answer.json()["items"]]
                if answer.status_code != 200 or uids != [f"1.7.{n}" for n in reversed(range(len(uids)))]:
                    problems.append((answer.status_code, uids))

    threads = [threading.Thread(target=read) for _ in range(3)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert stop.is_set()
    assert problems == []
    assert len(httpx.get(f"{address}/api/v1/studies?limit=200").json()["items"]) == 40


def test_an_aborted_download_leaves_the_service_up(scored):
    with running(create_app(database=scored.database, files=scored.files, checks={}, version="1")) as base:
        with scored.database.reading() as reading:
            summary = next(o for o in reading.outputs_of_study(STUDY_UID) if o.kind == "summary")
        path = f"/api/v1/studies/{STUDY_UID}/series/{summary.series_instance_uid}/instances/{summary.sop_instance_uid}"
        for _ in range(3):
            with httpx.stream("GET", base + path) as answer:
                next(answer.iter_raw(1024))
        deadline = time.monotonic() + 20
        whole = httpx.get(base + path, timeout=20)
        assert len(whole.content) == summary.size_bytes
        assert time.monotonic() < deadline
