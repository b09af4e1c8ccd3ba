"""The frame around every request: its id, its line in the log, its last resort."""

import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.logging import request_id

HEADER = "X-Request-ID"

_log = logging.getLogger("talia.request")
_safe_id = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLoggingMiddleware:
    """Names each request, logs it once, and answers 500 when the app fails.

    An id sent by the caller is kept if it is short and plain; anything else is replaced, so
    that nobody can write into the logs. The id returns in `X-Request-ID`.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection; all but HTTP passes through untouched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        started = time.perf_counter()
        sent = Headers(scope=scope).get(HEADER, "")
        current = sent if _safe_id.fullmatch(sent) else uuid4().hex
        status: int | None = None  # None until an answer has begun

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = current
            await send(message)

        token = request_id.set(current)
        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            _log.exception("unhandled error")
            if status is not None:
                raise  # too late for another answer: the server drops the connection
            error = JSONResponse({"detail": "Internal Server Error"}, status_code=500)
            await error(scope, receive, send_with_id)
        finally:
            _log.info(
                "request",
                extra={
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "milliseconds": round((time.perf_counter() - started) * 1000, 1),
                    "client": scope["client"][0] if scope.get("client") else None,
                },
            )
            request_id.reset(token)
