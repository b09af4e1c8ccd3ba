"""The application: `uvicorn --factory app.main:create_app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.api import health, twilio, webchat
from app.core.logging import configure_logging
from app.core.middleware import RequestLoggingMiddleware
from app.core.settings import Settings
from app.messages import open_messages


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with open_messages(app.state.settings.database_url) as messages:
        app.state.messages = messages
        yield


def create_app() -> FastAPI:
    """Build the app from the environment."""
    settings = Settings()
    configure_logging(settings.log_dir, settings.log_level)

    app = FastAPI(
        title="Talia",
        version=settings.version,
        lifespan=_lifespan,
        openapi_url="/api/openapi.json",
        docs_url="/api/docs",
        redoc_url=None,
    )
    app.state.settings = settings
    app.add_middleware(RequestLoggingMiddleware)
    for routes in (health, webchat, twilio):
        app.include_router(routes.router, prefix="/api")
    return app
