"""``ctl index``."""

from cli.output import print_line
from cli.progress import make_progress
from retriever.config import IndexConfig


def index(config: IndexConfig) -> None:
    """Build an index folder: encode the passages and store vectors, passages and, with --bm25, word statistics."""
    from retriever.index.build import build_index

    print_line(str(build_index(config, progress=make_progress())))
