"""The HTTP server around the application: uvicorn without its own logs, banners and trust in proxy headers.

Decides limits and what the server tells about itself. Address and port come from whoever composes the process.
"""

import uvicorn
from fastapi import FastAPI

#: Connections served at once; beyond that a client gets 503 and tries again, instead of exhausting the process.
MAX_CONNECTIONS = 200

#: How long a stop waits for requests under way.
GRACEFUL_STOP_S = 10


def make_server(app: FastAPI, *, host: str, port: int) -> uvicorn.Server:
    """Return a server; `run()` blocks, and setting `should_exit` stops it from another thread.

    Port 0 lets the system choose. There is no access log: it would hold addresses with identifiers, and each request
    has its canonical line already.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACEFUL_STOP_S,
    )
    return uvicorn.Server(config)
