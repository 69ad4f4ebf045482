"""The command line, ``ctl``: the table of commands, and the one place where errors become exit codes.

Exit codes: 0 done; 2 the user gave something wrong, or the disk is full (``error: …`` on stderr); 3 ``ctl data check`` found something; 130 interrupted; 1 a bug, with traceback.
"""

import errno
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from cli import card, compare, corpus_map, data, fusion, index, info, mine, plot, report, search, train
from cli import eval as evaluation
from cli.logs import configure_logs
from cli.options import add_command, add_group
from retriever.errors import InputError
from retriever.heap import keep_freed_memory

INPUT_ERROR, INTERRUPTED = 2, 130
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

app = typer.Typer(
    name="ctl",
    help="Train sentence encoders (SimCSE) and dual encoders (DPR), index passages, search and evaluate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help and usage errors, the same on every terminal and in every log
)
add_command(app, "train-simcse", train.train_simcse)
add_command(app, "train-dpr", train.train_dpr)
add_command(app, "mine", mine.mine)
app.add_typer(data.app, name="data", short_help=data.HELP)
add_command(app, "encode", index.encode)
indexes = add_group(app, "index", index.index)
add_command(indexes, "add", index.add)
add_command(indexes, "remove", index.remove)
add_command(indexes, "compact", index.compact)
add_command(indexes, "verify", index.verify)
add_command(indexes, "tune", index.tune)
add_command(app, "tune-fusion", fusion.tune_fusion)
add_command(app, "search", search.search)
app.add_typer(evaluation.app, name="eval", short_help=evaluation.HELP)
add_command(app, "compare", compare.compare)
add_command(app, "report", report.report)
add_command(app, "card", card.card)
add_command(app, "plot", plot.plot)
add_command(app, "map", corpus_map.corpus_map)
add_command(app, "info", info.info)


def show_version(wanted: bool) -> None:
    """Print the version and stop, when --version was given."""
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("contrastive-text-learning")
    except PackageNotFoundError:
        found = "(a checkout that is not installed)"
    typer.echo(f"ctl {found}")
    raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and stop.", callback=show_version, is_eager=True),
    ] = False,
) -> None:
    """Runs before every command."""
    configure_logs()
    keep_freed_memory()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        arguments: without the program's name; None: those that the process was started with.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # a path that is not UTF-8 is printed as it is
    try:
        code = run(arguments)
        sys.stdout.flush()
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return INPUT_ERROR
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        sys.stderr.write(f"error: cannot write, the disk is full or a limit is reached: {error}\n")
        return INPUT_ERROR
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        discard_stdout()
        return 1
    if code == INTERRUPTED:
        sys.stderr.write("interrupted\n")
    return code


def run(arguments: Sequence[str] | None) -> int:
    """Typer ends by raising SystemExit, with 2 for wrong usage and 130 for Ctrl-C; its code."""
    try:
        app(args=arguments, prog_name="ctl")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def discard_stdout() -> None:
    """Whoever read our stdout is gone (``ctl … | head``): what is still buffered goes nowhere, without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
