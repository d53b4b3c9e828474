"""The order of Debian's version numbers (Debian Policy 5.6.12): `[epoch:]upstream[-revision]`."""

import re

BEFORE_END = -1
AFTER_LETTERS = 256
RUN = re.compile(r"(\D*)(\d*)")

Run = tuple[tuple[int, ...], int]
Key = tuple[int, tuple[Run, ...], tuple[Run, ...]]


def version_key(version: str) -> Key:
    """A key that sorts as `dpkg --compare-versions` does; equal versions have equal keys.

    A missing epoch or revision is 0.
    """
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch or 0) if epoch.isdigit() else 0, _runs(upstream), _runs(revision)


def _runs(part: str) -> tuple[Run, ...]:
    """Runs of other signs and of digits by turns, and then one of neither: the end of the part.

    An empty part, and missing digits, are 0.
    """
    return tuple((_signs(signs), int(digits or 0)) for signs, digits in RUN.findall(part or "0"))


def _signs(text: str) -> tuple[int, ...]:
    """`~` comes before the end, the end before letters, letters before all else."""
    return (*(_place(sign) for sign in text), 0)


def _place(sign: str) -> int:
    if sign == "~":
        return BEFORE_END
    return ord(sign) if sign.isalpha() else ord(sign) + AFTER_LETTERS
