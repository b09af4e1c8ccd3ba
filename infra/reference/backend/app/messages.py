"""Where conversations are kept: in PostgreSQL, or in memory when there is no database."""

import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Literal, Protocol
from uuid import UUID

import asyncpg
from pydantic import BaseModel, Field, SecretStr

# IF NOT EXISTS alone fails one of two apps that start at once on an empty database.
TABLE = """
SELECT pg_advisory_xact_lock(hashtext('webchat_messages'));
CREATE TABLE IF NOT EXISTS webchat_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid NOT NULL,
    author text NOT NULL,
    text text NOT NULL,
    sent_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS webchat_messages_session ON webchat_messages (session_id, id);
"""


class Message(BaseModel):
    """One thing said in a conversation."""

    author: Literal["customer", "talia"]
    text: str
    sent_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class Messages(Protocol):
    """A store of conversations, each under its session's id."""

    async def add(self, session_id: UUID, *messages: Message) -> None:
        """Append `messages`, all or none."""

    async def of(self, session_id: UUID) -> list[Message]:
        """The conversation so far, oldest first; empty if there is none."""


class MemoryMessages:
    """The last messages of this process, gone when it ends: for trying things out."""

    def __init__(self, limit: int = 10_000) -> None:
        """Keep at most `limit` messages over all sessions."""
        self._messages: deque[tuple[UUID, Message]] = deque(maxlen=limit)

    async def add(self, session_id: UUID, *messages: Message) -> None:
        """See `Messages.add`."""
        self._messages.extend((session_id, message) for message in messages)

    async def of(self, session_id: UUID) -> list[Message]:
        """See `Messages.of`."""
        return [message for session, message in self._messages if session == session_id]


class PostgresMessages:
    """Messages in the table `webchat_messages`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Use the connections of `pool`; the table must exist."""
        self._pool = pool

    async def add(self, session_id: UUID, *messages: Message) -> None:
        """See `Messages.add`."""
        await self._pool.executemany(
            "INSERT INTO webchat_messages (session_id, author, text, sent_at)"
            " VALUES ($1, $2, $3, $4)",
            [(session_id, each.author, each.text, each.sent_at) for each in messages],
        )

    async def of(self, session_id: UUID) -> list[Message]:
        """See `Messages.of`."""
        rows = await self._pool.fetch(
            "SELECT author, text, sent_at FROM webchat_messages WHERE session_id = $1 ORDER BY id",
            session_id,
        )
        return [Message(**row) for row in rows]


@asynccontextmanager
async def open_messages(database_url: SecretStr | None) -> AsyncIterator[Messages]:
    """Open the store for the app's lifetime.

    A database that cannot be reached stops the start, so that a deploy notices before any
    customer does.
    """
    if database_url is None:
        yield MemoryMessages()
        return
    async with asyncpg.create_pool(
        plain_url(database_url.get_secret_value()),
        min_size=1,
        command_timeout=10,
        statement_cache_size=0,  # a pooler in transaction mode (Supabase) keeps no statements
    ) as pool:
        await pool.execute(TABLE)
        yield PostgresMessages(pool)


def plain_url(url: str) -> str:
    """Drop SQLAlchemy's driver from `url`: `postgresql+asyncpg://…` is `postgresql://…`."""
    return re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", url)
