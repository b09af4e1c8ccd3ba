"""Asks the running app for its health, over its socket or its port: `python -m app.healthcheck`.

Ends with 0 when it is well, else with 1 and the reason, which `docker inspect` shows.
"""

import os
import socket
import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT_SECONDS = 3


class _SocketConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def check() -> None:
    """Raise unless the app answers 200; uvicorn reads the same two variables."""
    path, port = os.environ.get("UVICORN_UDS"), os.environ.get("UVICORN_PORT") or "8000"
    connection = (
        _SocketConnection(path)
        if path
        else HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_SECONDS)
    )
    try:
        connection.request("GET", "/api/health")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != 200:
        raise HTTPException(f"status {status}")


if __name__ == "__main__":
    try:
        check()
    except (OSError, HTTPException) as error:
        sys.exit(f"unhealthy: {error!r}")
