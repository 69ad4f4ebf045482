"""``ctl index`` builds an index folder; ``ctl index add``, ``remove``, ``compact`` and ``verify`` keep one."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from cli.output import Cell, print_json, print_line, print_table
from cli.progress import make_progress
from retriever.config.index import (
    EncodeConfig,
    IndexAddConfig,
    IndexCompactConfig,
    IndexConfig,
    IndexRemoveConfig,
    IndexTuneConfig,
    IndexVerifyConfig,
)

if TYPE_CHECKING:
    from retriever.index.opened import OpenIndex


def encode(config: EncodeConfig) -> None:
    """Encode passages into a folder of .npy files, for ctl index --vectors or for other programs; a killed run goes on."""
    from retriever.index.encode import encode_corpus

    print_line(str(encode_corpus(config, progress=make_progress())))


def index(config: IndexConfig) -> None:
    """Build an index folder: encode the passages and store vectors, passages and, with --bm25, word statistics."""
    from retriever.index.build import build_index

    print_line(str(build_index(config, progress=make_progress())))


def add(config: IndexAddConfig) -> None:
    """Add passages to an index, encoded with its own model; who searches it meanwhile sees it as it was."""
    from retriever.index.update import add_passages

    show(add_passages(config, progress=make_progress()))


def remove(config: IndexRemoveConfig) -> None:
    """Remove passages from an index by id; their vectors leave the folder with the next compact."""
    from retriever.index.update import ids_to_remove, remove_passages

    ids = ids_to_remove(config)
    show(remove_passages(config.index, list(ids), ids_file=config.ids_file, lines=ids))


def compact(config: IndexCompactConfig) -> None:
    """Write an index anew as one segment, without what was removed; nothing is encoded again."""
    from retriever.index.update import compact_index

    show(compact_index(config.index, progress=make_progress()))


def verify(config: IndexVerifyConfig, as_json: bool = False) -> None:
    """Read every byte of an index and compare it with what was written, and encode a sample of its passages again."""
    from retriever.index.verify import verify_index

    found = verify_index(config, progress=make_progress())
    if as_json:
        print_json({"index": str(config.index), **found})
        return
    print_table(f"{config.index}: whole", ("checked", "found"), list(found.items()))


def tune(config: IndexTuneConfig, as_json: bool = False) -> None:
    """Measure recall, speed and memory of an index, its search turned up step by step, and of other recipes beside it."""
    from retriever.index.tune import tune_index
    from retriever.reporting.figure import require_picture
    from retriever.reporting.trade_off import plot_trades

    if config.picture is not None:
        require_picture(config.picture)
    trades = tune_index(config, progress=make_progress())
    if config.picture is not None:
        plot_trades(trades, config.picture)
    if as_json:
        for each in trades:
            print_json(asdict(each))
        return
    columns = ["recipe", "settings", "recall@10", "queries/s", "p50 ms", "p95 ms", "bytes", "build s", "best"]
    rows: list[list[Cell]] = [
        [
            each.recipe,
            " ".join(f"{name} {value}" for name, value in each.settings.items()),
            each.recall,
            round(each.queries_per_second),
            each.p50_ms,
            each.p95_ms,
            round(each.bytes_per_vector),
            each.build_seconds,
            "*" if each.best else "",
        ]
        for each in trades
    ]
    print_table(
        f"{config.index}: search alone, questions encoded; * = no other is better in recall, speed and memory",
        columns,
        rows,
    )


def show(opened: "OpenIndex") -> None:
    """What an index consists of now."""
    manifest = opened.manifest
    print_line(
        f"{opened.path}: {manifest.count} passages (segments: {len(manifest.segments)}, removed since the last compact: "
        f"{manifest.removed})"
    )
