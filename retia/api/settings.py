"""The settings of a server, from the environment."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retia.shards.errors import InputError

PREFIX = "RETIA_"


class Settings(BaseModel):
    """What an operator can set: each field is the variable `RETIA_` + its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Path("retia-data")
    database_url: str = ""
    public_url: str = ""
    registration: Literal["open", "closed"] = "closed"
    max_body: Annotated[int, Field(ge=1 << 16)] = 1 << 30
    max_predictions: Annotated[int, Field(ge=1 << 16)] = 256 << 20
    patience: Annotated[float, Field(ge=0.1)] = 10.0
    least_rate: Annotated[int, Field(ge=1)] = 16 << 10
    check_memory: Annotated[int, Field(ge=1 << 28)] = 4 << 30
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
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise InputError(f"{PREFIX}{str(first['loc'][0]).upper()}: {first['msg']}") from error

    @property
    def database(self) -> str:
        """The database's URL; by default SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data.resolve() / 'retia.sqlite'}"
