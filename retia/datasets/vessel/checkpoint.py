"""Keep a graph that was long in the making, so that an interrupted build goes on from it."""

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from retia.datasets.vessel.graph import VesselGraph
from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import InputError

FOLDER: Final = ".unfinished"
MEASURE: Final = "measure:"

Traced = tuple[VesselGraph, dict[str, Any]]


def place(out: Path, key: dict[str, Any]) -> Path:
    """The file below `out` that keeps a graph made of this key by this version of Retia."""
    content = canonical_json(key | {"retia": library_version("retia")})
    return out / FOLDER / f"{sha256_bytes(content)}.npz"


def kept(path: Path, make: Callable[[], Traced]) -> Traced:
    """The graph and the report that an earlier build kept, or new ones; kept until `finished`."""
    if (found := _load(path)) is not None:
        return found
    made = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with FileLock(path.with_suffix(".lock")):
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **_arrays(*made))
        part.replace(path)
    return made


@contextmanager
def finished(path: Path | None) -> Iterator[None]:
    """Forget what `kept` has kept there once the block has ended, well or with a refusal.

    An interruption or a failure leaves it for the next build.
    """
    try:
        yield
    except InputError:
        _forget(path)
        raise
    _forget(path)


def _forget(path: Path | None) -> None:
    if path is None:
        return
    for suffix in (".npz", ".part", ".lock"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    with suppress(OSError):  # not empty: another build keeps something there
        path.parent.rmdir()
        path.parent.parent.rmdir()


def _arrays(graph: VesselGraph, report: dict[str, Any]) -> dict[str, NDArray[Any]]:
    optional = {"border": graph.border, "labels": graph.labels}
    return {
        "about": np.frombuffer(json.dumps([graph.unit, report]).encode(), dtype=np.uint8),
        "node_id": graph.node_id,
        "position": graph.position,
        "edge_id": graph.edge_id,
        "ends": graph.ends,
        **{MEASURE + name: values for name, values in graph.measures.items()},
        **{name: values for name, values in optional.items() if values is not None},
    }


def _load(path: Path) -> Traced | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
            unit, report = json.loads(arrays.pop("about").tobytes())
    except (FileNotFoundError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    measures = {
        name.removeprefix(MEASURE): arrays.pop(name)
        for name in list(arrays)
        if name.startswith(MEASURE)
    }
    return VesselGraph(**arrays, measures=measures, unit=unit), report
