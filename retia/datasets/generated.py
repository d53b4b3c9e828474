"""The note beside generated tables: they come from a seed, so anyone can make them again."""

import json
from pathlib import Path
from typing import Any

from retia.shards.writer import write_atomically

GENERATOR_FILE = "generator.json"


def write_note(folder: Path, note: dict[str, Any]) -> None:
    """Write how tables were generated beside them; call it before they are written."""
    content = {"synthetic": True, **note}
    write_atomically(folder / GENERATOR_FILE, (json.dumps(content, indent=2) + "\n").encode())


def find_note(*tables: Path) -> Path | None:
    """The note beside any of these files; a sealed build refuses tables that have one."""
    beside = [path.parent / GENERATOR_FILE for path in tables]
    return next((path for path in beside if path.is_file()), None)
