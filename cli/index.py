"""``ctl index`` builds an index folder; ``ctl index add``, ``remove``, ``compact`` and ``verify`` keep one."""

from typing import TYPE_CHECKING

from cli.output import print_json, print_line, print_table
from cli.progress import make_progress
from retriever.config import (
    IndexAddConfig,
    IndexCompactConfig,
    IndexConfig,
    IndexRemoveConfig,
    IndexVerifyConfig,
)

if TYPE_CHECKING:
    from retriever.index.opened import OpenIndex


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

    show(remove_passages(config.index, ids_to_remove(config), progress=make_progress()))


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


def show(opened: "OpenIndex") -> None:
    """What an index consists of now."""
    manifest = opened.manifest
    print_line(
        f"{opened.path}: {manifest.count} passages (segments: {len(manifest.segments)}, removed: {manifest.removed})"
    )
