"""How the datasets of a connectome are to be built, and which options go together."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from retia.datasets.assemble import check_names, check_sealing
from retia.shards.errors import InputError

Sibling = Literal["link", "weight", "node", "stage"]
SplitBy = Literal["random", "pair", "homolog", "hemisphere"]

SIBLINGS: tuple[Sibling, ...] = get_args(Sibling)


@dataclass(frozen=True)
class ConnectomeOptions:
    """How to build: `seed` for open builds; `sealed` the sibling whose answers stay secret.

    Connections under `min_weight` are left out, and so are layers that `layers` does not name;
    without names all stay. `split` says what stays together when edges are hidden.
    """

    name: str
    version: str = "1.0.0"
    seed: int | None = None
    sealed: Sibling | None = None
    only: Sibling | None = None
    workers: int = 1
    split: SplitBy = "random"
    min_weight: float = 0.0
    layers: tuple[str, ...] = ()
    license: str | None = None


def check_options(options: ConnectomeOptions, known_to_all: str | None) -> None:
    """Raise `InputError` for options that do not go together.

    `known_to_all` says why anyone can get at the answers, where that is so.
    """
    names = [f"{options.name}-{sibling}" for sibling in SIBLINGS]
    check_names(*names, version=options.version, license_=options.license)
    check_sealing(options.sealed, options.only, options.seed, known_to_all)
    if not (np.isfinite(options.min_weight) and options.min_weight >= 0):
        raise InputError(f"--min-weight {options.min_weight:g}: give a finite number of 0 or more")


def parse_layers(text: str | None) -> tuple[str, ...]:
    """Names of layers joined by commas; none for nothing."""
    if text is None:
        return ()
    names = tuple(name.strip().lower() for name in text.split(","))
    if "" in names:
        raise InputError(f"--kind-filter '{text}': give names of layers joined by commas")
    return names
