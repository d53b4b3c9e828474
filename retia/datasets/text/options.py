"""How the datasets of a text-attributed graph are to be built, and which options go together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from retia.datasets.assemble import check_names, check_sealing
from retia.shards.errors import InputError

Sibling = Literal["link", "node"]
SplitBy = Literal["random", "grouped"]

TELLING = (
    "texts of --texts may tell of the edges that would be hidden, since they are written with all "
    "of them in sight"
)
SIBLINGS: tuple[Sibling, ...] = get_args(Sibling)


@dataclass(frozen=True)
class TextOptions:
    """How to build: `seed` for open builds; `sealed` the sibling whose answers stay secret.

    `encodings` are the specs of encoders. With the split `grouped` the nodes that are alike in the
    column `group` stay in one part of a task of nodes. `ask` is the relation of which edges are
    hidden, the largest by default. With `shots` each label of one class has a second task, with as
    many nodes of each class to learn from. `texts` is a table of generated texts by id, as `retia
    describe` writes it. Encoders are fitted on the texts of the version that `fit_on` refers to, on
    the graph's own by default.
    """

    name: str
    version: str = "1.0.0"
    seed: int | None = None
    sealed: Sibling | None = None
    only: Sibling | None = None
    workers: int = 1
    split: SplitBy = "random"
    group: str | None = None
    encodings: tuple[str, ...] = ()
    ask: str | None = None
    shots: int | None = None
    texts: Path | None = None
    fit_on: str | None = None
    license: str | None = None


def check_options(options: TextOptions, known_to_all: str | None) -> None:
    """Raise `InputError` for options that do not go together.

    `known_to_all` says why anyone can get at the answers, where that is so.
    """
    names = [f"{options.name}-{sibling}" for sibling in SIBLINGS]
    check_names(*names, version=options.version, license_=options.license)
    check_sealing(options.sealed, options.only, options.seed, known_to_all)
    if (options.split == "grouped") != (options.group is not None):
        raise InputError("--split grouped and --group COLUMN go together")
    if options.shots is not None and options.sealed == "node":
        raise InputError(
            "--shots and --sealed node do not go together: the few shots of one split are asked "
            "for in others, so they are open; leave one of them out"
        )
    if options.shots is not None and options.split == "grouped":
        raise InputError(
            "--shots and --split grouped do not go together: few shots are drawn node by node, so "
            "a group would stand in several parts; leave one of them out"
        )
    _check_only(options)
    if options.fit_on is not None and not options.encodings:
        raise InputError("--fit-on goes with --encoding: it says what an encoder is fitted on")
    if options.texts is not None and "link" in (options.only, options.sealed):
        raise InputError(f"{options.name}-link cannot be built: {TELLING}")
    if len(set(options.encodings)) < len(options.encodings):
        raise InputError("--encoding: an encoder is named twice")


def _check_only(options: TextOptions) -> None:
    """Raise `InputError` for an option of a sibling that is not built."""
    of_node = {"--shots": options.shots, "--group": options.group}
    given = [option for option, value in of_node.items() if value is not None]
    if options.only == "link" and given:
        raise InputError(f"{given[0]} concerns {options.name}-node; leave it or --only link out")
    if options.ask is not None and options.only == "node":
        raise InputError(f"--ask concerns {options.name}-link; leave it or --only node out")
    if options.ask is not None and options.texts is not None:
        raise InputError(
            f"--ask concerns {options.name}-link, but {TELLING}; leave one of them out"
        )
