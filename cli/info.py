"""``ctl info``: what a run directory, an index folder or a model says of itself."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import print_json, print_table
from retriever.config.report import InfoConfig
from retriever.errors import InputError

if TYPE_CHECKING:
    from retriever.index.layout import Manifest
    from retriever.index.opened import OpenIndex


def info(config: InfoConfig, as_json: bool = False) -> None:
    """Show what a run directory, an index folder or a model says of itself."""
    kind, facts = facts_of(config.path)
    if config.bench:
        if kind != "index":
            raise InputError(f"bench measures an index, this is a {kind}", path=Path(config.path))
        from retriever.search.speed import measure_speed

        facts = {
            **facts,
            "bench": {
                name: float(f"{value:.4g}") for name, value in measure_speed(Path(config.path)).items()
            },
        }
    if as_json:
        print_json({"kind": kind, "path": config.path, **facts})
        return
    print_table(f"{config.path}: {kind}", ("setting", "value"), rows_of(facts))


def rows_of(facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """One row a setting; what is nested is called by its path, ``config.seed``."""
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            yield from ((f"{name}.{inner}", shown) for inner, shown in rows_of(value))
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def facts_of(name: str) -> tuple[str, Mapping[str, object]]:
    """What kind of thing it is, and its settings."""
    from retriever.index.layout import CURRENT, is_unfinished

    folder = Path(name)
    if (folder / CURRENT).is_file() or is_unfinished(folder):
        from retriever.index.opened import OpenIndex

        return "index", OpenIndex.open_with(
            folder, lambda opened: {**index_facts(opened.manifest), **bm25_facts(opened)}
        )
    if (folder / "config.json").is_file() and (folder / "model").is_dir():
        return "run", run_facts(folder)
    return "model", model_facts(name)


def index_facts(manifest: "Manifest") -> dict[str, object]:
    """The manifest, its files summed up."""
    files = [*manifest.files.values(), *(each for one in manifest.segments for each in one.files.values())]
    return {
        **asdict(manifest),
        "segments": [{"name": each.name, "count": each.count} for each in manifest.segments],
        "files": {"number": len(files), "bytes": sum(each["bytes"] for each in files)},
    }


def bm25_facts(index: "OpenIndex") -> dict[str, object]:
    """With which formula and of which words it is searched, if it is by BM25."""
    from retriever.index.bm25 import settings_of

    settings = settings_of(index)
    if settings is None:
        return {}
    return {"bm25_formula": settings.formula, "bm25_words": settings.analyser.describe()}


def model_facts(name: str) -> dict[str, object]:
    """How it embeds; of a plain Hugging Face folder, which does not say, what it is."""
    from retriever.encoding.checkpoints import architecture_of, read_config
    from retriever.encoding.dual_encoder import DualEncoder
    from retriever.encoding.encoder import Encoder
    from retriever.encoding.locate import locate_model
    from retriever.encoding.model_folder import DUAL_ENCODER_FILE, read_settings

    folder = locate_model(name)
    if (folder / DUAL_ENCODER_FILE).is_file():
        return {"model": DualEncoder.load(name).describe()}
    if read_settings(folder) is not None:  # one of DPR's two encoders, too
        return {"model": Encoder.load(name).describe()}
    architecture = architecture_of(read_config(folder))
    return {"model": name, "architecture": architecture, "pooling": "not declared: commands need --pooling"}


def run_facts(run: Path) -> dict[str, object]:
    """The run's whole config and, where it has them already, its results, without what stands behind them."""
    from retriever.data.files import read_json
    from retriever.evaluation.results import BY_TASK, RESULTS_FILE

    facts: dict[str, object] = {"config": read_json(run / "config.json")}
    if not (run / RESULTS_FILE).is_file():
        return facts
    results = read_json(run / RESULTS_FILE)
    if isinstance(results, dict):
        results = {name: value for name, value in results.items() if name not in BY_TASK}
    return {**facts, "results": results}
