"""Everything the environment may change, read once at start."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, Request
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def _project_version() -> str:
    return tomllib.loads(PYPROJECT.read_text())["project"]["version"]


def _state_folder() -> Path:
    state_home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state_home).expanduser() / "talia" / "logs"


class Settings(BaseSettings):
    """The app's settings; `.env.example` explains each. An empty variable counts as unset."""

    model_config = SettingsConfigDict(env_prefix="TALIA_", env_ignore_empty=True, frozen=True)

    version: str = Field(default_factory=_project_version)
    revision: str = "unknown"
    log_dir: Path = Field(default_factory=_state_folder)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    twilio_auth_token: SecretStr | None = Field(None, validation_alias="TWILIO_AUTH_TOKEN")


def _settings(request: Request) -> Settings:
    return request.app.state.settings


CurrentSettings = Annotated[Settings, Depends(_settings)]
