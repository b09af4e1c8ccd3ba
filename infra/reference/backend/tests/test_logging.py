"""The request's id, and the log files."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.core.logging import configure_logging
from tests.conftest import Logs


def test_every_record_of_a_request_carries_its_id(
    client: TestClient, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(request_id: str) -> tuple[int, str]:
        headers = {"X-Request-ID": request_id}
        answer = client.post("/api/webchat", json={"message": "Hello"}, headers=headers)
        return answer.status_code, answer.headers["X-Request-ID"]

    assert ask("deploy-42") == (200, "deploy-42")
    _, made = ask("not an id\t")
    assert len(made) == 32
    monkeypatch.setattr("app.api.webchat.answer", lambda text: 1 / 0)
    assert ask("broken") == (500, "broken")

    for name, ids in {
        "webchat": ["deploy-42", made],
        "request": ["deploy-42", made, "broken", "broken"],
        "api": ["deploy-42", "deploy-42", made, made, "broken", "broken"],
    }.items():
        assert [line["request_id"] for line in logs.lines(name) if line["request_id"]] == ids
    error, summary = logs.lines("request")[-2:]
    assert "ZeroDivisionError" in error["exception"]
    assert (summary["method"], summary["path"], summary["status"]) == ("POST", "/api/webchat", 500)


def test_a_folder_that_cannot_be_written_leaves_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    configure_logging(tmp_path / "file" / "logs")  # no folder can be made below a file

    line = json.loads(capsys.readouterr().out)
    assert (line["level"], line["message"]) == (
        "WARNING",
        "log folder cannot be written, logging to stdout only",
    )
