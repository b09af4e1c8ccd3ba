"""Web chat, and where its messages are kept."""

from fastapi.testclient import TestClient

from app.messages import plain_url


def test_webchat_answers_and_keeps_the_conversation(client: TestClient) -> None:
    first = client.post("/api/webchat", json={"message": "When are you open?"}).json()
    session = first["session_id"]
    second = client.post("/api/webchat", json={"message": "Xyzzy", "session_id": session}).json()
    client.post("/api/webchat", json={"message": "Somebody else"})

    assert "Monday to Friday" in first["answer"]
    assert "a person, please" in second["answer"]
    kept = client.get(f"/api/webchat/{session}").json()
    assert [(message["author"], message["text"]) for message in kept] == [
        ("customer", "When are you open?"),
        ("talia", first["answer"]),
        ("customer", "Xyzzy"),
        ("talia", second["answer"]),
    ]
    for refused in ("", "   ", "a\x00b", "x" * 2001):
        assert client.post("/api/webchat", json={"message": refused}).status_code == 422


def test_sqlalchemy_database_urls_are_understood() -> None:
    plain = "postgresql://talia:p+ss@db:5432/talia?sslmode=require"

    for driver in ("", "+asyncpg", "+psycopg", "+psycopg2"):
        assert plain_url(plain.replace("postgresql:", f"postgresql{driver}:")) == plain
