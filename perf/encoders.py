"""What encoders cost on 63,000 made texts, and how far rounding moves the fitted ones.

`python perf/encoders.py` encodes texts of about 8 and of about 50 words by each encoder that needs
no model, in a process each, and prints the seconds by the clock, those of the processor, and the
peak of its memory beside that before it began. `python perf/encoders.py threads` prints the largest
difference between vectors of one BLAS thread and of two.
"""

import resource
import sys
import time
from multiprocessing import get_context
from unittest.mock import patch

import numpy as np
import threadpoolctl

from retia.datasets.text.encoders import encode
from retia.protocol.randomness import Randomness

TEXTS = 63_000
WORDS = 60_000
SPECS = ("tfidf-svd-128", "tfidf-svd-256", "hashing-128", "hashing-256")


def zipf_texts(mean_words: int, seed: int = 0) -> list[str]:
    """Texts of a Poisson number of words, at least one, whose frequency is as one over the rank."""
    rng = np.random.default_rng(seed)
    share = np.cumsum(1 / np.arange(1, WORDS + 1))
    sizes = rng.poisson(mean_words - 1, TEXTS) + 1
    drawn = np.searchsorted(share / share[-1], rng.random(sizes.sum()))
    names = np.array([f"word{rank}" for rank in range(WORDS)])[drawn]
    return [" ".join(row) for row in np.split(names, np.cumsum(sizes)[:-1])]


def measure(spec: str, mean_words: int) -> tuple[float, float, float, float]:
    """Seconds by the clock and of the processor, GB at the start and at the peak."""
    texts = zipf_texts(mean_words)
    before = peak_gb()
    clock, processor = time.perf_counter(), time.process_time()
    encode(texts, spec, what="texts", randomness=Randomness.from_seed(0))
    took = time.perf_counter() - clock, time.process_time() - processor
    return *took, before, peak_gb()


def peak_gb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def costs() -> None:
    """A row for each encoder and length of text."""
    for mean_words in (8, 50):
        for spec in SPECS:
            with get_context("spawn").Pool(1) as pool:
                clock, processor, before, peak = pool.apply(measure, (spec, mean_words))
            print(
                f"{mean_words:3} words  {spec:14} {clock:6.1f} s  CPU {processor:5.1f} s  "
                f"peak {peak:.2f} GB, of which {before:.2f} GB before"
            )


def threads() -> None:
    """The largest difference that another order of summing makes."""
    texts = zipf_texts(8)

    def vectors(number: int) -> np.ndarray:
        limits = threadpoolctl.threadpool_limits
        with patch.object(threadpoolctl, "threadpool_limits", lambda **_: limits(number, "blas")):
            made = encode(texts, "tfidf-svd-128", what="texts", randomness=Randomness.from_seed(0))
        return made.values

    one, two = vectors(1), vectors(2)
    print(f"largest difference {np.abs(one - two).max():.2g}, {(one != two).mean():.2%} differ")


if __name__ == "__main__":
    {"costs": costs, "threads": threads}[sys.argv[1] if len(sys.argv) > 1 else "costs"]()
