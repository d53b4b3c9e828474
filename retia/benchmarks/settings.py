"""Typed settings, from YAML or from a dict, with errors that name the key."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from retia.shards.errors import InputError

FILE_BYTES = 1 << 20

Read = TypeVar("Read", bound="Settings")


class Settings(BaseModel):
    """Immutable, and with no key that is not named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_yaml(kind: type[Read], path: Path) -> Read:
    """The settings of that kind in a YAML file; raises `InputError` naming the key."""
    try:
        if path.stat().st_size > FILE_BYTES:
            raise InputError(f"{path}: larger than {FILE_BYTES} bytes; no config is")
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = " ".join(str(error).split())
        raise InputError(f"{path}: not readable as YAML: {first}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: has no keys at its top; 'model: gcn' is one")
    return read_settings(kind, values, str(path))


def read_settings(kind: type[Read], values: dict[str, Any], where: str) -> Read:
    """Values as settings of that kind; raises `InputError` naming the key and the nearest one."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(step) for step in first["loc"])
        if first["type"] != "extra_forbidden":
            given = f", not {first['input']!r:.80}" if first["type"] != "missing" else ""
            raise InputError(f"{where}: {name}: {first['msg']}{given}") from error
        known = sorted(kind.model_fields) if len(first["loc"]) == 1 else []
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        there = f"there are: {', '.join(known)}" if known else "it has none"
        hint = f"did you mean '{near[0]}'?" if near else there
        raise InputError(f"{where}: unknown key '{name}'; {hint}") from error
