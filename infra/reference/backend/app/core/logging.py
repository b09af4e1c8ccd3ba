"""JSON logs: everything to stdout and `api.log`, each channel to a file of its own as well."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.config import dictConfig
from pathlib import Path
from typing import Any

CHANNELS = ("request", "webchat", "whatsapp", "voice")
"""`talia.<channel>` loggers; each also writes `<channel>.log`."""

FILE_BYTES = 10 * 1024 * 1024
FILES_KEPT = 5

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request being served; `RequestLoggingMiddleware` sets it."""

# `color_message` is uvicorn's copy of the message with terminal colours in it.
_NOT_EXTRA = {*vars(logging.makeLogRecord({})), "message", "color_message", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line; what a call passes as `extra` becomes fields of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Render `record`, with the request's id when there is one."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _NOT_EXTRA}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(folder: Path, level: str = "INFO") -> None:
    """Send the logs to stdout and to files in `folder`; to stdout alone if it takes none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        dictConfig(_config(level, folder))
    except (OSError, ValueError) as error:  # dictConfig wraps a file's OSError in a ValueError
        dictConfig(_config(level, None))
        logging.getLogger("talia").warning(
            "log folder cannot be written, logging to stdout only",
            extra={"folder": folder, "reason": error.__cause__ or error},
        )


def _config(level: str, folder: Path | None) -> dict[str, Any]:
    files = {} if folder is None else {name: _rotated(folder, name) for name in ("api", *CHANNELS)}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "json",
            },
            **files,
        },
        "root": {"level": level, "handlers": ["stdout", *(["api"] if files else [])]},
        "loggers": {
            **{f"talia.{name}": {"handlers": [name] if files else []} for name in CHANNELS},
            # uvicorn's own handlers give way to ours; its access log to the middleware's.
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
    }


def _rotated(folder: Path, name: str) -> dict[str, Any]:
    return {
        "class": "logging.handlers.RotatingFileHandler",
        "filename": folder / f"{name}.log",
        "maxBytes": FILE_BYTES,
        "backupCount": FILES_KEPT,
        "encoding": "utf-8",
        "formatter": "json",
    }
