"""Is the app up, and which one is it? Asked by Docker, by a deploy and by people."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from app.core.settings import CurrentSettings

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The app that answers."""

    status: Literal["ok"] = "ok"
    version: str
    revision: str


@router.get("/health")
async def health(settings: CurrentSettings) -> Health:
    """Name the running version and the git revision it was built from."""
    return Health(version=settings.version, revision=settings.revision)
