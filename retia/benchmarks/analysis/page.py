"""Write a comparison as a page and as figures."""

from pathlib import Path

from retia.benchmarks.analysis.alike import FEWEST_SEEDS, MARGIN
from retia.benchmarks.analysis.comparison import Comparison
from retia.benchmarks.analysis.figures import draw_heat_map, draw_seed_map, draw_tree
from retia.benchmarks.analysis.measures import MEASURES
from retia.benchmarks.drawing import DARK_FROM, STEPS, inline_svg, write_svg
from retia.benchmarks.pages import render
from retia.shards.writer import write_atomically

PAGE_FILE = "compare.html"


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write compare.html, a heat map a measure, cka-seeds.svg and tree.svg; returns their paths."""
    runs, _ = comparison.owners
    labels = comparison.labels
    title = "CKA of every seed with every other"
    seeds = draw_seed_map(comparison.by_seed["cka"], runs, labels, title)
    tree = draw_tree(comparison.alike, labels)
    page = render(
        "compare.html",
        comparison=comparison,
        measures=[MEASURES[name] for name in comparison.by_run],
        pairs=comparison.pairs(),
        groups=comparison.groups,
        seeds=inline_svg(seeds, "CKA of every seed with every other, in blocks by run"),
        tree=inline_svg(tree, "Tree of runs by what they learned"),
        margin=MARGIN,
        fewest_seeds=FEWEST_SEEDS,
        steps=STEPS,
        dark_from=DARK_FROM,
    )
    paths = [folder / PAGE_FILE, folder / "cka-seeds.svg", folder / "tree.svg"]
    write_atomically(paths[0], page)
    write_svg(seeds, paths[1])
    write_svg(tree, paths[2])
    for name, matrix in comparison.by_run.items():
        paths.append(folder / f"{name}.svg")
        write_svg(draw_heat_map(matrix, labels, MEASURES[name].title), paths[-1])
    return paths
