"""The table of docs/models.md: what each model is for.

    python -m perf.places [MODEL ...]

Every model, or those named, and a simpler one on a problem where the answer is planted. Printed are
the means of both over the seeds, each with its standard error, and the mean difference with its.
"""

import sys
import time

from tests.benchmarks.places import PLACES, Place, compare, mean_and_error


def row(place: Place) -> str:
    """One row of the table, in Markdown."""
    found = compare(place)
    numbers = (found.scores, found.simpler, found.scores - found.simpler)
    measured = [f"{m:.3f} ± {e:.3f}" for m, e in map(mean_and_error, numbers)]
    says = f"{place.problem.__doc__} `{found.measure}`"
    return f"| `{place.model}` | `{place.simpler}` | {says} | {' | '.join(measured)} |"


if __name__ == "__main__":
    print("| model | simpler | problem | model's score | simpler one's | difference |")
    print("|---|---|---|---|---|---|")
    for place in PLACES:
        if not sys.argv[1:] or str(place.model).split()[0] in sys.argv[1:]:
            start = time.process_time()
            print(row(place), flush=True)
            print(f"{place}: {time.process_time() - start:.1f} s CPU", file=sys.stderr)
