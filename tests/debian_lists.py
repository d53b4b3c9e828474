"""Debian's package lists made by hand, with every rule in them, and larger ones by chance."""

import gzip
import hashlib
import lzma
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import numpy as np

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".lz4": lz4.frame.compress,
}

PACKAGES = """\
Package: editor
Version: 1.0-1
Maintainer: Ada <ada@example.org>
Architecture: amd64
Depends: libtext (>= 1.0), editor-data (= 1.0-1) | editor-data-min, python3:any, mail-agent, gone
Pre-Depends: libtext
Recommends: editor-doc, editor
Description: writes letters
Description-md5: aaa
Tag: role::program, use::editing,
 interface::shell
Section: editors
Filename: pool/editor.deb

Package: editor-data
Source: editor (1.0)
Version: 1.0-1
Maintainer: Ada <ada@example.org>
Architecture: all
Breaks: editor (<< 0.9~), editor-data-min
Replaces: editor (<< 0.9~)
Description: letters to be written
Description-md5: bbb
Section: editors
Filename: pool/editor-data.deb

Package: editor-data-min
Source: editor
Version: 1.0-1
Maintainer: Ada <ada@example.org>
Architecture: all
Provides: editor-files
Conflicts: editor-data, editor-files
Description: fewer letters
Section: non-free/editors
Filename: pool/editor-data-min.deb

Package: libtext
Version: 1.9
Maintainer: Bob <bob@example.org>
Architecture: amd64
Description: old code of letters
Section: libs
Filename: pool/libtext_1.9.deb

Package: libtext
Version: 1.10~rc1
Maintainer: Bob <bob@example.org>
Architecture: amd64
Enhances: editor
Depends: libtext:amd64 [amd64], python3 | editor, python3 (>= 3)
Description: code of letters
Tag: role::shared-lib
Section: contrib/libs
Filename: pool/libtext_1.10.deb

Package: python3
Version: 3.11
Maintainer: Bob <bob@example.org>
Architecture: amd64
Provides: mail-agent (= 1), editor
Suggests: editor-doc | mail-agent
Description: interpreter
 It interprets.
 .
  indented
Section: python
Filename: pool/python3.deb

"""

TRANSLATION = """\
Package: editor
Description-md5: aaa
Description-en: writes letters
 A long tale of letters.
 .
 It goes on.

Package: editor-data
Description-md5: of another version
Description-en: letters
 This is not of that package.

"""

LIST = "deb.example.org_debian_dists_{suite}_main_binary-{arch}_Packages"


def write_list(
    folder: Path, text: str = PACKAGES, suffix: str = "", name: str = "Packages"
) -> Path:
    """A list as a file, compressed as its suffix says."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{suffix}"
    path.write_bytes(COMPRESS[suffix](text.encode()))
    return path


def write_suite(
    folder: Path,
    suite: str,
    *,
    text: str = PACKAGES,
    date: str = "Sat, 11 Jul 2026 10:16:37 UTC",
    arch: str = "amd64",
    origin: str = "Debian",
) -> Path:
    """A list as apt keeps it, beside the release that tells its sum."""
    path = write_list(folder, text, ".lz4", LIST.format(suite=suite, arch=arch))
    digest = hashlib.sha256(text.encode()).hexdigest()
    release = (
        f"Origin: {origin}\nSuite: {suite}\nVersion: 12.15\nDate: {date}\nSHA256:\n"
        f" {digest} {len(text)} main/binary-{arch}/Packages\n"
    )
    (folder / f"deb.example.org_debian_dists_{suite}_InRelease").write_text(release)
    return path


def many_packages(size: int = 600, seed: int = 0) -> str:
    """Packages of three sections, whose words, tags and dependencies tell the section."""
    rng = np.random.default_rng(seed)
    sections = rng.integers(0, 3, size)
    stanzas = []
    for number, section in enumerate(sections.tolist()):
        alike = np.flatnonzero(sections == section)
        near = ", ".join(f"p{other}" for other in rng.choice(alike, 3) if other != number)
        far = f"p{rng.integers(0, size)}"
        words = " ".join(f"word{word}" for word in rng.integers(section * 20, section * 20 + 30, 6))
        stanzas.append(
            f"Package: p{number}\nSource: s{number // 3}\nVersion: 1\n"
            f"Maintainer: M{number // 30} <m@example.org>\nArchitecture: all\n"
            f"Depends: {near}\nRecommends: {far}\nBreaks: {near}\n"
            f"Description: {words}\nTag: role::r{section}, all::all\nSection: s{section}\n"
            f"Filename: pool/p{number}.deb\n\n"
        )
    return "".join(stanzas)
