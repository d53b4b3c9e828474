"""Mean and spread of a submission's scores, and whether it has enough seeds for a rank."""

from collections.abc import Sequence

from retia.leaderboard.tables import Score
from retia.protocol.rank_groups import Summary, summarise

RANKED_SEEDS = 10

Scores = dict[str, dict[str, Summary]]


def summaries(scores: Sequence[Score]) -> Scores:
    """Summaries by part and measure; the values of a measure are in the order of the seeds."""
    values: dict[tuple[str, str], list[float]] = {}
    for score in sorted(scores, key=lambda score: score.seed):
        values.setdefault((score.part, score.measure), []).append(score.value)
    result: Scores = {}
    for (part, measure), listed in values.items():
        result.setdefault(part, {})[measure] = summarise(listed)
    return result


def is_ranked(seeds: Sequence[int], deterministic: bool, num_splits: int) -> bool:
    """Ten seeds or more, counted from 0; a deterministic method needs each split once."""
    enough = num_splits if deterministic else RANKED_SEEDS
    return len(seeds) >= enough and list(seeds) == list(range(len(seeds)))
