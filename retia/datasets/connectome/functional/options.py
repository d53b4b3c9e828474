"""What a build of an atlas of functional motifs is asked for."""

from dataclasses import dataclass

from retia.datasets.assemble import check_names
from retia.datasets.connectome.functional.affinity import SMOOTH_S
from retia.datasets.connectome.functional.communities import Method, graph_tool
from retia.datasets.connectome.functional.factorise import RESTARTS
from retia.shards.errors import InputError

HIGHEST_RANK = 20


@dataclass(frozen=True)
class FunctionalOptions:
    """Names, choices and cost; without a `rank` the rule chooses one up to `max_rank`."""

    name: str
    version: str = "1.0.0"
    seed: int = 0
    rank: int | None = None
    max_rank: int = 8
    restarts: int = RESTARTS
    smooth_s: float = SMOOTH_S
    window_s: float | None = None
    communities: Method = "leiden"
    structure: str | None = None
    license: str | None = None
    workers: int = 1

    @property
    def ranks(self) -> tuple[int, ...]:
        """The ranks to be tried."""
        return (self.rank,) if self.rank else tuple(range(1, self.max_rank + 1))


def check_options(options: FunctionalOptions) -> None:
    """Raise `InputError` for a choice that cannot be built."""
    check_names(options.name, version=options.version, license_=options.license)
    for what, rank in (("--rank", options.rank), ("--max-rank", options.max_rank)):
        if rank is not None and not 1 <= rank <= HIGHEST_RANK:
            raise InputError(f"{what} {rank}: a number from 1 to {HIGHEST_RANK} is needed")
    if options.communities == "sbm":
        graph_tool()
