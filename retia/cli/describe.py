"""The verb that gives nodes texts: `describe`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from retia.cli.build_options import Workers
from retia.cli.options import AsJson
from retia.cli.output import console, print_json, print_line, progress
from retia.shards.errors import CheckError, InputError
from retia.shards.store import default_cache, resolve
from retia.shards.version import Version

if TYPE_CHECKING:
    from retia.datasets.text.tans.describers.endpoint import Manner
    from retia.datasets.text.tans.describers.limits import Prices
    from retia.datasets.text.tans.describers.request import Endpoint
    from retia.datasets.text.tans.job import Asking, Job, Written

Describer = Literal["template", "endpoint"]
Choice = Literal["rich", "limited", "free"]

LOST = "--retry-interrupted asks again"


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("describe", rich_help_panel="Datasets")(describe)


def describe(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REF", help="name or name@version in the local store, or a version's folder."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The table to write, FILE.parquet.")
    ] = None,
    describer: Annotated[
        Describer,
        typer.Option(
            "--with",
            help="template: fixed words, no network; endpoint: a model at OPENAI_BASE_URL, with "
            "the key OPENAI_API_KEY where it wants one.",
        ),
    ] = "template",
    setting: Annotated[
        Choice | None,
        typer.Option(
            help="rich: from all texts of a node and some of its neighbours; limited: from the "
            "start of its main text and these; free: from the wiring alone.",
            show_default="rich where there are texts, else free",
        ),
    ] = None,
    relation: Annotated[
        str | None, typer.Option(help="Whose edges count.", show_default="all")
    ] = None,
    node: Annotated[str, typer.Option(help="What a node is, in a word: airport.")] = "node",
    edge: Annotated[str, typer.Option(help="What an edge is, in a word: route.")] = "edge",
    model: Annotated[str | None, typer.Option(help="The model at the endpoint.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 300,
    classes_in_prompt: Annotated[
        bool,
        typer.Option(
            "--classes-in-prompt",
            help="Name the classes and ask for one: the texts are then an LLM prediction, and say "
            "so. Also writes FILE.llm-only.parquet, the predictions of the model alone.",
        ),
    ] = False,
    task: Annotated[
        str | None, typer.Option(help="Whose classes.", show_default="the only node task")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests at once.")] = 4,
    requests_a_minute: Annotated[
        float | None, typer.Option("--rpm", min=0.001, help="Most requests a minute.")
    ] = None,
    tokens_a_minute: Annotated[
        float | None, typer.Option("--tpm", min=0.001, help="Most tokens a minute, about.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Most seconds of a request.")] = 120.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what asking would cost.")
    ] = False,
    price_in: Annotated[
        float | None, typer.Option(help="Price of a million tokens sent, in any currency.")
    ] = None,
    price_out: Annotated[
        float | None, typer.Option(help="Price of a million tokens answered.")
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(help="Stop before all answers, those of earlier runs too, cost more."),
    ] = None,
    batch_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the requests as a batch file instead of asking."),
    ] = None,
    batch_in: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Take the answers from results of a batch; repeatable."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask again where a paid answer was of no use.")
    ] = False,
    retry_interrupted: Annotated[
        bool,
        typer.Option(
            "--retry-interrupted",
            help="Ask again where an answer got lost, by a kill or on its way; what the endpoint "
            "has charged for is then paid twice.",
        ),
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where answers are kept.", show_default="user's cache"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of pivots and of the neighbours shown.")] = 0,
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Describe the nodes of a graph in words: a row a node, for --texts of `retia build`.

    A stopped run goes on with the same command, and nothing is paid twice: what was on its way when
    a run was killed is marked, and asked again with --retry-interrupted alone.
    docs/tans.md has the columns and examples.
    """
    from retia.datasets.text.tans.describers.endpoint import Manner
    from retia.datasets.text.tans.describers.limits import Prices
    from retia.datasets.text.tans.describers.request import Endpoint
    from retia.datasets.text.tans.job import check_out, write_by_template

    asks = (model, classes_in_prompt, dry_run, batch_out, batch_in, again, retry_interrupted)
    asked = any(asks) or max_cost is not None
    _check(describer, out, asks=asked, writes=not (dry_run or batch_out))
    if task is not None and not classes_in_prompt:
        raise InputError("--task names the classes for --classes-in-prompt: add that")
    if describer == "endpoint" and not model:
        raise InputError("name the model of the endpoint: --model")
    prices = Prices(price_in, price_out, max_cost)
    endpoint = Endpoint.from_environment(model, max_tokens) if model else None
    version = resolve(reference)
    if out is not None:
        check_out(version, out)
    words = {"relation": relation, "node": node, "edge": edge, "seed": seed}
    job = _job(version, setting, words, task if classes_in_prompt else False, workers)
    if endpoint is None:
        assert out is not None
        _show(write_by_template(job, out), as_json)
        return
    with _asking(job, endpoint, cache, again, retry_interrupted) as asking:
        if dry_run:
            _show_estimate(asking, prices, as_json)
        elif batch_out is not None:
            _write_batch(asking, batch_out, as_json)
        else:
            assert out is not None
            manner = Manner(
                concurrency,
                requests_a_minute,
                tokens_a_minute,
                timeout_s=timeout,
                retry_interrupted=retry_interrupted,
            )
            _answer(asking, prices, manner, batch_in)
            _finish(asking, out, as_json)


def _check(describer: Describer, out: Path | None, *, asks: bool, writes: bool) -> None:
    if describer == "template" and asks:
        raise InputError("these options ask a model: add --with endpoint")
    if out is None and writes:
        raise InputError("say where the table goes: --out FILE.parquet")
    if out is not None and out.suffix != ".parquet":
        named = out.with_suffix(".parquet")
        raise InputError(f"{out}: the table is Parquet, and its name says so: --out {named}")


def _job(
    version: Version,
    setting: Choice | None,
    words: dict[str, Any],
    task: Literal[False] | str | None,
    workers: int,
) -> "Job":
    """What is described; `task` is the one whose classes are named, false where none are."""
    from retia.datasets.text.tans.job import Job, choose_setting
    from retia.datasets.text.tans.subject import choose_task, read_subject

    chosen = None if task is False else choose_task(version, task)
    classes = chosen.classes if chosen else ()
    with progress() as bar:
        walk = bar.add_task("properties", total=None)

        def step(done: int, total: int) -> None:
            bar.update(walk, completed=done, total=total)

        subject = read_subject(version, **words, classes=classes, workers=workers, on_progress=step)
    return Job(version, subject, choose_setting(subject, setting), words, chosen)


@contextmanager
def _asking(
    job: "Job", endpoint: "Endpoint", cache: Path | None, again: bool, retry_interrupted: bool
) -> "Iterator[Asking]":
    from retia.datasets.text.tans.describers.cache import AnswerCache
    from retia.datasets.text.tans.job import Asking

    with AnswerCache.open(cache or default_cache() / "descriptions") as opened:
        yield Asking.prepare(
            job, endpoint, opened, again=again, retry_interrupted=retry_interrupted
        )


def _show_estimate(asking: "Asking", prices: "Prices", as_json: bool) -> None:
    from retia.datasets.text.tans.questions import estimate

    found, nodes = estimate(asking.pending, prices), asking.job.subject.num_nodes
    if as_json:
        print_json({"nodes": nodes, "interrupted": asking.interrupted} | asdict(found))
        return
    answered = f"at most {found.most_tokens_answered:,} answered"
    cost = "unknown: give --price-in and --price-out"
    if found.cost is not None:
        cost = f"about {found.cost:,.4g}, where all answers are as long as they may be"
    print_line(f"nodes     {nodes:,}")
    print_line(f"requests  {found.requests:,} without an answer, each different prompt once")
    print_line(f"tokens    about {found.tokens_sent:,} sent, {answered}")
    print_line(f"cost      {cost}")
    if asking.interrupted:
        print_line(f"lost      {asking.interrupted:,} may have been paid; {LOST}")


def _write_batch(asking: "Asking", path: Path, as_json: bool) -> None:
    from retia.datasets.text.tans.describers.batch import write_batch

    pending = asking.pending
    paths = [str(one) for one in write_batch(pending, path)] if pending else []
    if as_json:
        print_json({"requests": len(pending), "files": paths})
        return
    for written in paths:
        print_line(written)
    console.print(f"{len(pending):,} requests; --batch-in takes the results")


def _answer(
    asking: "Asking", prices: "Prices", manner: "Manner", batches: list[Path] | None
) -> None:
    if batches:
        others = asking.read_batches(batches)
        if others:
            console.print(f"{others:,} results are of other prompts, models or templates; left out")
        return
    with progress() as bar:
        task = bar.add_task("answers", total=len(asking.pending))
        try:
            asked = asking.ask(prices, manner, lambda: bar.advance(task))
        except KeyboardInterrupt:
            console.print("stopped; the same command goes on, and pays no answer twice")
            raise
    if asked is not None:
        cost = f", which cost {asked.spent:,.4g} at most" if prices.are_known else ""
        twice = f"; possibly paid twice: {asked.twice:,}" if asked.twice else ""
        console.print(f"{asked.answered:,} requests answered{cost}{twice}")


def _finish(asking: "Asking", out: Path, as_json: bool) -> None:
    told = asking.write(out)
    _show(told, as_json)
    if missing := told.nodes - told.described:
        stopped = f" ({asking.stopped})" if asking.stopped else ""
        lost = told.statuses.get("interrupted")
        paid = f"; {lost:,} of them may have been paid, and {LOST}" if lost else ""
        raise CheckError(
            f"{missing:,} of {told.nodes:,} nodes have no description{stopped}; the column "
            f"`reason` says why, and the same command goes on{paid}"
        )


def _show(told: "Written", as_json: bool) -> None:
    if as_json:
        print_json(asdict(told))
        return
    for path in told.files:
        print_line(path)
    counts = ", ".join(f"{status} {count:,}" for status, count in sorted(told.statuses.items()))
    print_line(f"{told.described:,} of {told.nodes:,} nodes described ({counts})")
    if told.llm_only is not None:
        print_line(f"the model alone scores {told.llm_only:.4f} on test: the llm-only row")
