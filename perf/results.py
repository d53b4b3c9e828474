"""Reference results of the catalogue, and the page that shows them.

    python perf/results.py build --data DIR --store STORE    # the datasets, from test data
    python perf/results.py run --store STORE --out RUNS       # every sweep of perf/results/
    python perf/results.py page --out RUNS                    # docs/results.md

Runs that are done are kept, so all three can be run again.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from retia.benchmarks.sweep import mean_std

ROOT = Path(__file__).resolve().parents[1]
SWEEPS = sorted((ROOT / "perf" / "results").glob("*.yaml"))
PAGE = ROOT / "docs" / "results.md"

RECIPES = {
    "celegans": (),
    "celegans-varshney": (),
    "celegans-witvliet-adult": (),
    "larva": ("--dir", "connectome/drosophila_larva"),
    "mushroom-body": ("--dir", "connectome/mushroom_body"),
    "airports usa": ("--dir", "text/airports"),
    "airports brazil": ("--dir", "text/airports"),
    "cane-cora": ("--dir", "text/cane_cora", "--encoding", "tfidf-svd-128"),
    "wn18rr": ("--dir", "text/wn18rr", "--encoding", "tfidf-svd-128"),
    "debian": ("--encoding", "tfidf-svd-128"),
    "vessel": ("--generate", "20000", "--name", "vessel-20k"),
}

HEAD = """# Reference results

Made by `retia sweep` from the configs in `perf/results/`, with the shipped defaults: nothing was
tuned unless a config says so, so a row says what a model does out of the box, not what it can be
made to do. Mean ± unbiased standard deviation over seeds of the primary measure; the interval is
the 95 % t-interval of the mean. Methods of one **group** cannot be told from the best of it
([how](protocol.md#rank-groups)). Computed models give each split once. `python perf/results.py`
builds the datasets, runs the sweeps and writes this page; every run directory has its config and
environment.
"""


def main() -> None:
    """Do what the first word says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("verb", choices=("build", "run", "page"))
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--only", help="the one sweep or recipe to do")
    given = parser.parse_args()
    if given.verb == "build":
        build(given.data, given.store, given.only)
    elif given.verb == "run":
        run(given.store, given.out, given.only)
    else:
        page(given.out)


def build(data: Path, store: Path, only: str | None) -> None:
    """Build every dataset of the catalogue from the test data and this machine's package lists."""
    for recipe, options in RECIPES.items():
        if only in (None, recipe):
            words = [str(data / o) if "/" in o else o for o in options]
            retia(store, "build", *recipe.split(), *words, "--out", str(store))
    if only in (None, "texas"):
        retia(store, "import", "webkb", str(data / "heterophily" / "texas"), "--out", str(store))


def run(store: Path, out: Path, only: str | None) -> None:
    """Run every sweep; a cell that fails does not stop the rest."""
    for sweep in SWEEPS:
        if only in (None, sweep.stem):
            retia(store, "sweep", str(sweep), "--out", str(out), check=False)


def retia(store: Path, *words: str, check: bool = True) -> None:
    """Run the command, on that store."""
    environment = os.environ | {"RETIA_STORE": str(store.resolve())}
    subprocess.run([sys.executable, "-m", "retia", *words], env=environment, check=check)


def page(out: Path) -> None:
    """Write docs/results.md from the summaries of the sweeps."""
    lines = [HEAD]
    for sweep in SWEEPS:
        summary = out / "sweeps" / sweep.stem / "summary.json"
        if not summary.exists():
            continue
        title = sweep.read_text().splitlines()[0].lstrip("# ")
        lines += [f"## {sweep.stem.capitalize()}", "", title, ""]
        for table in json.loads(summary.read_text()):
            lines += section(table)
    PAGE.write_text("\n".join(lines))


def section(table: dict) -> list[str]:
    """The table of one dataset and task; models that do not fit the task are left out."""
    failed = [row for row in table["failed"] if " is for " not in row["problem"]]
    failed = [row for row in failed if " needs " not in row["problem"]]
    if not table["rows"]:
        return []
    lines = [
        f"### {table['dataset']}, {table['task']}",
        "",
        f"{table['measure']} on the {table['ranked_by']} part.",
        "",
        "| group | model | test | 95 % interval | valid | parameters | seconds a seed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table["rows"]:
        test = row["test"] or row["valid"]
        low = "" if test["low"] is None else f"{test['low']:.4f} to {test['high']:.4f}"
        shown = f"{row['group']} | {row['model']} | {mean_std(test)} | {low} | "
        shown += f"{mean_std(row['valid'])} | {row['parameters']:,} | "
        lines.append(f"| {shown}{row['wall_s'] / row['seeds']:.1f} |")
    return [*lines, "", *(f"{row['model']} failed: {row['problem']}" for row in failed), ""]


if __name__ == "__main__":
    main()
