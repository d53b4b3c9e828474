"""The worm's files from the folder of test data, as a source that needs no network."""

from dataclasses import dataclass
from pathlib import Path

from retia.datasets.connectome.catalogue import find_entry
from retia.datasets.connectome.inputs import Raw, read_entry
from retia.datasets.sources import FetchedFile, LocalFile, fetch

NAMES = ("Cook2019HermReader.json", "all_cell_info.csv")


@dataclass(frozen=True)
class WormFiles:
    """The pinned files of `celegans`, but for the table of transmitters."""

    folder: Path
    known_to_all: str | None = None

    @property
    def files(self) -> list[FetchedFile]:
        """The connectome, then the cells."""
        return [fetch(LocalFile(self.folder / name, "MIT"))[0] for name in NAMES]

    def read(self, license_: str | None = None) -> Raw:
        """The worm."""
        return read_entry(find_entry("celegans"), self.files, license_)
