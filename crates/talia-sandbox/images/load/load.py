"""The reference backend, with routes and misbehaviour for the tests of deploys.

Every answer names its revision in the header `X-Talia-Revision`. What goes wrong is said by
variables of the image:

- `LOAD_HEALTH`: `fails` (503), `hangs`, or a revision that it names in place of its own.
- `LOAD_EXITS`: ends at once.
- `LOAD_CRASHES_AFTER`: ends this many seconds after its start.
- `LOAD_CRASHES_AFTER_HEALTHY`: ends this many seconds after its first good health.
"""

import asyncio
import os
import sys
import threading
from typing import Any

from app.core.settings import Settings
from app.main import create_app as reference
from fastapi import APIRouter, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse

HEALTH = os.environ.get("LOAD_HEALTH", "")
AFTER_START = float(os.environ.get("LOAD_CRASHES_AFTER") or 0)
AFTER_HEALTHY = float(os.environ.get("LOAD_CRASHES_AFTER_HEALTHY") or 0)
REVISION = Settings().revision

router = APIRouter(prefix="/api")


@router.get("/slow")
async def slow(seconds: float) -> dict[str, float]:
    """Answer late."""
    await asyncio.sleep(min(seconds, 60))
    return {"seconds": seconds}


@router.post("/echo")
async def echo(request: Request) -> Response:
    """Give the body back."""
    return Response(await request.body(), media_type="application/octet-stream")


@router.websocket("/ws")
async def words(socket: WebSocket) -> None:
    """Say the revision first, then give every word back."""
    await socket.accept()
    await socket.send_text(REVISION)
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass


def _crash(seconds: float) -> None:
    def end() -> None:
        print("load: it crashes, as it was told to", file=sys.stderr, flush=True)
        os._exit(3)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


class Misbehaving:
    """Stands around the app: names the revision, and spoils the health."""

    def __init__(self, app: Any) -> None:
        """Wrap `app`."""
        self._app = app
        self._was_healthy = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def named(message: Any) -> None:
            if message["type"] == "http.response.start":
                name = (b"x-talia-revision", REVISION.encode())
                message = {**message, "headers": [*message["headers"], name]}
            await send(message)

        if scope["path"] == "/api/health":
            if HEALTH == "fails":
                await JSONResponse({"status": "ill"}, 503)(scope, receive, named)
                return
            if HEALTH == "hangs":
                await asyncio.sleep(3600)
            if HEALTH:
                told = {"status": "ok", "version": "0", "revision": HEALTH}
                await JSONResponse(told)(scope, receive, named)
                return
            if AFTER_HEALTHY and not self._was_healthy:
                self._was_healthy = True
                _crash(AFTER_HEALTHY)
        await self._app(scope, receive, named)


def create_app() -> Misbehaving:
    """Build the app from the environment, as the reference does."""
    if os.environ.get("LOAD_EXITS"):
        sys.exit("load: it exits at once, as it was told to")
    if AFTER_START:
        _crash(AFTER_START)
    app = reference()
    app.include_router(router)
    return Misbehaving(app)
