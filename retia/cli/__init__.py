"""The `retia` command: a module for each group of verbs."""

import sys

import typer

from retia.cli import (
    build,
    check,
    compare,
    data,
    describe,
    imports,
    motifs,
    query,
    remote,
    run,
    serve,
    sweep,
    tokens,
)
from retia.shards.errors import RetiaError

INTERRUPTED = 130


def make_app() -> typer.Typer:
    """The command with all its verbs."""
    app = typer.Typer(
        name="retia",
        help="Build, check, serve and benchmark graph-learning datasets of biological networks.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    datasets = (data, build, imports, check, motifs, query, describe)
    for group in (*datasets, run, sweep, compare, remote, tokens, serve):
        group.register(app)
    return app


def main() -> None:
    """Run the command; an error of Retia's own is one line and its exit code."""
    try:
        make_app()()
    except RetiaError as error:
        print(f"retia: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        print(f"retia: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(RetiaError.exit_code)
