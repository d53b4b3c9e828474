"""The settings of a server, from the environment."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from retia.shards.errors import InputError

PREFIX = "RETIA_"
OTHERS = ("RETIA_TOKEN", "RETIA_CONFIG", "RETIA_STORE", "RETIA_CACHE")
"""Variables of the client, which a server's shell may have too."""
CLOSE = 0.8


class Settings(BaseModel):
    """What an operator can set: each field is the variable `RETIA_` + its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Path("retia-data")
    database_url: str = ""
    public_url: str = ""
    accel_location: str = ""
    registration: Literal["open", "invite", "closed"] = "closed"
    trusted_proxies: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_label: str = "OpenID"
    smtp_url: SecretStr = SecretStr("")
    mail_from: str = ""
    max_body: Annotated[int, Field(ge=1 << 16)] = 1 << 30
    blob_quota: Annotated[int, Field(ge=1 << 16)] = 100 << 30
    max_predictions: Annotated[int, Field(ge=1 << 16)] = 256 << 20
    patience: Annotated[float, Field(ge=0.1)] = 10.0
    least_rate: Annotated[int, Field(ge=1)] = 16 << 10
    check_memory: Annotated[int, Field(ge=1 << 28)] = 4 << 30
    log_format: Literal["json", "text"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    quota: Annotated[int, Field(ge=1)] = 3
    lease: Annotated[float, Field(ge=0.1)] = 120.0

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **given: object
    ) -> Self:
        """The environment's settings, and over them those that are given and not none."""
        environment = os.environ if environment is None else environment
        values: dict[str, object] = {
            name: environment[PREFIX + name.upper()]
            for name in cls.model_fields
            if PREFIX + name.upper() in environment
        }
        values |= {name: value for name, value in given.items() if value is not None}
        problems = [_misspelt(name, cls.variables()) for name in environment]
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            found = error.errors(include_url=False)
            problems += [f"{_variable(each['loc'])}: {_sentence(each['msg'])}" for each in found]
        if any(problems):
            raise InputError("; ".join(filter(None, problems)))
        return settings

    @classmethod
    def variables(cls) -> tuple[str, ...]:
        """The environment variables that are settings."""
        return tuple(PREFIX + name.upper() for name in cls.model_fields)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if bool(self.smtp_url.get_secret_value()) != bool(self.mail_from):
            raise ValueError("RETIA_SMTP_URL and RETIA_MAIL_FROM come together")
        if self.mail_from and not self.public_url:
            raise ValueError("RETIA_SMTP_URL needs RETIA_PUBLIC_URL, for the links in messages")
        openid = (self.oidc_issuer, self.oidc_client_id, self.oidc_client_secret.get_secret_value())
        if any(openid) and not (all(openid) and self.public_url):
            raise ValueError(
                "RETIA_OIDC_ISSUER, RETIA_OIDC_CLIENT_ID, RETIA_OIDC_CLIENT_SECRET and "
                "RETIA_PUBLIC_URL come together"
            )
        return self

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if value and (parts.scheme not in ("smtp", "smtps") or not parts.hostname):
            raise ValueError("write smtps://USER:PASSWORD@HOST or smtp://HOST:PORT")
        return value

    @field_validator("accel_location")
    @classmethod
    def _is_location(cls, value: str) -> str:
        if value and not re.fullmatch(r"(/[A-Za-z0-9_-]+)+", value):
            raise ValueError("write a location of the proxy's: /stored")
        return value

    @field_validator("public_url", "oidc_issuer")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("write the address as browsers show it: https://retia.example.org")
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("the address has no @, no ? and no #")
        return value.rstrip("/")

    @property
    def database(self) -> str:
        """The database's URL; by default SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data.resolve() / 'retia.sqlite'}"


def _misspelt(name: str, known: tuple[str, ...]) -> str | None:
    """What to say about a variable that looks like a setting and is none."""
    if not name.startswith(PREFIX) or name in known + OTHERS:
        return None
    close = difflib.get_close_matches(name, known + OTHERS, 1, CLOSE)
    return f"{name} is no setting; did you mean {close[0]}?" if close else None


def _variable(place: tuple[int | str, ...]) -> str:
    return PREFIX + str(place[0]).upper() if place else "the settings"


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")
