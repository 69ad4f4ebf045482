"""``ctl mine``."""

from dataclasses import asdict

from cli.output import print_json, print_table
from cli.progress import make_progress
from retriever.config.mining import MineConfig


def mine(config: MineConfig, as_json: bool = False) -> None:
    """Mine hard negatives with BM25: passages that rank high for a question and do not answer it."""
    from retriever.search.mine_corpus import mine_corpus

    counts = asdict(mine_corpus(config, progress=make_progress()))
    if as_json:
        print_json({"output": str(config.output), **counts})
        return
    print_table(
        str(config.output),
        ("passages or questions", "count"),
        [(name.replace("_", " "), count) for name, count in counts.items()],
    )
