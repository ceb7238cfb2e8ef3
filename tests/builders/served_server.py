"""A real HTTP server around an application, for tests that need a socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from agatha.serve import make_server


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serve on a free loopback port and yield the base address; stop the server afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = make_server(app, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
            if thread.is_alive():
                raise RuntimeError("the server did not stop")
