"""Debian's lists as a source of datasets: apt's own, or files that are given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retia.datasets.text.debian.lists import LICENSE, ListFile, find_list, read_list
from retia.datasets.text.debian.packages import MIN_SECTION, MIN_TAG, read_packages
from retia.datasets.text.inputs import Raw

ASKED = "depends"
ABOUT_LABELS = {
    "section": "Tell the section of the archive that a package is in. Sections of fewer than "
    f"{MIN_SECTION} packages are one class, 'other'.",
    "debtags": "Tell the debtags of a package: what it is, does and is written in. People tag "
    "packages and leave out what they do not think of, so a tag is known where it is given, and "
    "unknown where it is not: it counts as absent here, and scores are lower bounds. Tags of fewer "
    f"than {MIN_TAG} packages are left out.",
}


@dataclass(frozen=True)
class DebianLists:
    """The lists to build from: `packages`, or the one that apt keeps for `arch`.

    `translation` is a Translation-en file with the long descriptions; with `names` the names of
    packages are among the texts.
    """

    packages: tuple[Path, ...] = ()
    translation: Path | None = None
    arch: str | None = None
    names: bool = False

    @property
    def known_to_all(self) -> str:
        """They are published."""
        return "Debian's package lists are public: anyone can look the answers up"

    def read(self, license_: str | None = None) -> Raw:
        """Find and read the lists."""
        lists = [read_list(path) for path in self.packages or (find_list(self.arch),)]
        translation = read_list(self.translation) if self.translation else None
        read = [*lists, translation] if translation else lists
        return Raw(
            graph=read_packages(lists, translation, names=self.names),
            sources=tuple(one.as_source() for one in read),
            builder="debian",
            title=f"Debian packages{_of(lists)}",
            description="Packages of a Debian archive with their descriptions, and what they say "
            "of each other in eight relations. Each alternative of a clause that names a package "
            "is an edge; names that are only provided are none, and versions are left out. "
            f"Names of packages are {'texts too' if self.names else 'no texts'}; maintainers are "
            "numbers.",
            license=license_ or LICENSE,
            citation="The Debian Project: package lists. https://www.debian.org",
            homepage="https://www.debian.org/distrib/packages",
            ask=ASKED,
            about_labels=ABOUT_LABELS,
            parameters=self._parameters(lists),
        )

    def _parameters(self, lists: list[ListFile]) -> dict[str, Any]:
        releases = [one.release.as_dict() for one in lists if one.release is not None]
        return {"releases": releases, "names": self.names}


def _of(lists: list[ListFile]) -> str:
    """The release in words, where it is known and one."""
    known = {tuple(one.release.as_dict().items()) for one in lists if one.release is not None}
    if len(known) != 1:
        return ""
    release = dict(known.pop())
    name = " ".join(filter(None, (release.get("codename"), release.get("version"))))
    return f" ({', '.join(filter(None, (name, release.get('date', '')[:10])))})"
