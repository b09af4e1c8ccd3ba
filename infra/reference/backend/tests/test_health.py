"""The health route, and the check that Docker runs against it."""

import time
import tomllib
from pathlib import Path
from threading import Thread

import pytest
import uvicorn
from fastapi.testclient import TestClient

from app.healthcheck import check
from app.main import create_app

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_health_names_version_and_revision(client: TestClient) -> None:
    version = tomllib.loads(PYPROJECT.read_text())["project"]["version"]

    assert client.get("/api/health").json() == {
        "status": "ok",
        "version": version,
        "revision": "3f2a91c",
    }


def test_healthcheck_asks_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a relative path, as a socket's may have some 100 bytes
    monkeypatch.setenv("UVICORN_UDS", "api.sock")
    with pytest.raises(OSError):
        check()

    server = uvicorn.Server(uvicorn.Config(create_app, factory=True, uds="api.sock"))
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        check()
    finally:
        server.should_exit = True
        thread.join()
