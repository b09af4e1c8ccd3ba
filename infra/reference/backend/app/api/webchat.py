"""The chat window on a company's website."""

import logging
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, StringConstraints

from app.assistant import answer
from app.messages import Message, Messages

router = APIRouter(prefix="/webchat", tags=["webchat"])

_log = logging.getLogger("talia.webchat")

# PostgreSQL's text cannot hold U+0000.
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$"),
]


def _messages(request: Request) -> Messages:
    return request.app.state.messages


Store = Annotated[Messages, Depends(_messages)]


class Question(BaseModel):
    """What a customer writes; the first message of a conversation comes without a session."""

    message: Text
    session_id: UUID = Field(default_factory=uuid4)


class Answer(BaseModel):
    """What Talia says, and the session to go on with."""

    answer: str
    session_id: UUID


@router.post("")
async def ask(question: Question, messages: Store) -> Answer:
    """Answer a message and keep both."""
    said = answer(question.message)
    await messages.add(
        question.session_id,
        Message(author="customer", text=question.message),
        Message(author="talia", text=said),
    )
    # What people write is theirs: the log says only that they did.
    _log.info("answered", extra={"session_id": question.session_id})
    return Answer(answer=said, session_id=question.session_id)


@router.get("/{session_id}")
async def conversation(session_id: UUID, messages: Store) -> list[Message]:
    """Return a conversation, for a page that was reloaded."""
    return await messages.of(session_id)
