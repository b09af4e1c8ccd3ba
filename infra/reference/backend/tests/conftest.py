"""A client of the whole app: logs in a temporary folder, messages in memory, a known token."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.main import create_app


class Logs:
    """What the app wrote to its log files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The records of `<name>.log`."""
        return [json.loads(line) for line in (self.folder / f"{name}.log").read_text().splitlines()]


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "logs")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, logs: Logs) -> None:
    """Only these settings, whatever the developer's shell exports."""
    for name in ("DATABASE_URL", "TALIA_LOG_LEVEL", "TALIA_VERSION", "UVICORN_UDS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TALIA_LOG_DIR", str(logs.folder))
    monkeypatch.setenv("TALIA_REVISION", "3f2a91c")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "12345")


@pytest.fixture
def client(environment: None) -> Iterator[TestClient]:
    with TestClient(create_app(), base_url="https://talia.example") as client:
        yield client
