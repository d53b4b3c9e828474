"""Read Voreen's tables out of a zip, as VesselGraph publishes them."""

import shutil
import zipfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from retia.datasets.vessel.graph import VesselGraph
from retia.datasets.vessel.readers.voreen import read_voreen
from retia.shards.errors import InputError

MAX_BYTES = 8 << 30


def read_archive(path: Path) -> VesselGraph:
    """Read the table of nodes and the table of edges in a zip; raw ones go before processed ones.

    Raises `InputError` where the zip holds none, several, or tables of over 8 GiB.
    """
    try:
        with zipfile.ZipFile(path) as archive, TemporaryDirectory(dir=path.parent) as folder:
            names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
            tables = []
            for what in ("nodes", "edges"):
                tables.append(Path(folder) / f"{what}.csv")
                _unpack(archive, _choose(path, names, what), tables[-1])
            return read_voreen(*tables)
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: no readable zip ({error}); fetch it again") from error


def _choose(path: Path, names: list[str], what: str) -> str:
    """The member whose file name says that it is the table of nodes, or of edges."""
    found = [name for name in names if what in PurePosixPath(name).name and name.endswith(".csv")]
    raw = [name for name in found if "processed" not in PurePosixPath(name).name]
    chosen = raw or found
    if len(chosen) != 1:
        raise InputError(
            f"{path}: {len(chosen)} tables of {what} in this zip, one is needed; it holds "
            f"{', '.join(names[:10]) or 'nothing'}. Unpack it and give the tables with --nodes and "
            "--edges"
        )
    return chosen[0]


def _unpack(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    if archive.getinfo(name).file_size > MAX_BYTES:
        raise InputError(f"{archive.filename}: {name} unpacks to over {MAX_BYTES >> 30} GiB")
    with archive.open(name) as member, target.open("wb") as file:
        shutil.copyfileobj(member, file, 1 << 20)
