"""``ctl tune-fusion``."""

from dataclasses import asdict

from cli.output import Cell, print_json, print_table
from cli.progress import make_progress
from retriever.config.fusion import TuneFusionConfig


def tune_fusion(config: TuneFusionConfig, as_json: bool = False) -> None:
    """Measure how an index should fuse vectors and words: every fusion with every weight of the dense side, beside each side alone."""
    from retriever.evaluation.tune_fusion import tune_fusion as tuned

    trials = tuned(config, progress=make_progress())
    if as_json:
        for each in trials:
            print_json({"metric": config.metric, **asdict(each)})
        return
    better = max(trials[:2], key=lambda each: each.value).name
    columns = ["fusion", "weight", config.metric, f"minus {better}", "95 % from", "to", "best"]
    rows: list[list[Cell]] = [
        [*list(asdict(each).values())[:-1], "*" if each.best else ""] for each in trials
    ]
    print_table(f"{config.index}: hybrid search, depth {config.depth}", columns, rows)
