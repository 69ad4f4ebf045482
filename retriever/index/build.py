"""Building an index folder: passages → vectors → segment, with everything that is needed to search it with the same model."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from retriever.config.index import IndexConfig
from retriever.data.arrow import PassageTable
from retriever.data.corpus import read_passages
from retriever.data.dpr import read_question_texts
from retriever.data.files import require_new_folder
from retriever.data.folders import drop_unused, locked
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.shards import KEPT, made_with, require_no_strangers
from retriever.errors import InputError
from retriever.index.bm25 import require_words_in
from retriever.index.encode import encoded_by, gpus_of, run_of
from retriever.index.faiss_index import FaissIndex
from retriever.index.layout import (
    BLOCKS,
    CURRENT,
    GENERATION,
    LOCK,
    PASSAGES,
    SEGMENTS,
    SHARDS,
    Manifest,
    ModelReference,
    is_ours,
    numbered,
    segment_folder,
    unfinished_switches,
    vector_files,
)
from retriever.index.parts import Parts
from retriever.index.plan import Plan, product_rate
from retriever.index.recall import DEPTH, Truth
from retriever.index.recipes import RECIPES, Settings
from retriever.index.workers import PassageModel
from retriever.index.writing import put_into_force, write_segment, writer
from retriever.lexical.analyser import analyser_of
from retriever.lexical.bm25 import Bm25Settings
from retriever.protocols import Progress, no_progress
from retriever.readable import readable_bytes

logger = logging.getLogger(__name__)


def build_index(config: IndexConfig, *, progress: Progress = no_progress) -> Path:
    """Build an index folder; a run that was killed goes on from its last whole shard.

    Returns:
        The index folder.

    Raises:
        InputError: bad passages or model, or an output folder that holds something else. Nothing is left behind then,
            but for shards that were there before.
    """
    config = _as_in_folder(config)
    _require_free(config.output)
    if config.vectors is not None and not config.vectors.is_dir():
        require_new_folder(config.vectors)
    bm25 = _bm25_of(config)
    questions = read_question_texts(config.questions)  # what is wrong with them is said before the encoding
    model = PassageModel.of(config).load()
    logger.info(model.describe())
    reference = ModelReference.of(
        config.model, config.passage_model, model.fingerprint, config.output, config.pooling
    )
    with _held(config.vectors), writer(config.output):
        _require_free(config.output)  # another build may have been faster
        _mark_kept(config)
        planned = _Planned(config, model.dimension)
        segment, parts = write_segment(
            config.output,
            read_passages(config.passages),
            encoded_by(
                model,
                config.vectors or config.output / SHARDS,
                shard_size=config.shard_size,
                dtype=config.dtype,
                run=run_of(config, model),
                gpus=gpus_of(config, model),
                progress=progress,
            ),
            empty=planned.empty,
            device=model.passage.device,
            bm25=bm25,
            progress=progress,
        )
        plan = planned.plan
        folder = segment_folder(config.output, segment.name)
        if config.bm25:
            require_words_in(folder)
        files = vector_files(folder, segment.files)
        table = PassageTable(folder / PASSAGES)
        search, recall = _turned_up(config, questions, plan, model, files, parts, table)
        settings = model.passage.settings
        manifest = Manifest(
            recipe=plan.recipe,
            factory=plan.factory,
            search=dict(search),
            recall=recall,
            similarity=settings.similarity,
            dimension=model.dimension,
            count=segment.count,
            removed=0,
            model=reference,
            passage_format=settings.passage_format,
            max_length=settings.max_length,
            precision=model.passage.precision,
            bm25=config.bm25,
            versions={package: version(package) for package in ("faiss-cpu", "torch", "transformers")},
            segments=(segment,),
        )
        put_into_force(config.output, manifest, np.empty(0, np.int64), bm25)
    return config.output


def _bm25_of(config: IndexConfig) -> Bm25Settings | None:
    """With which BM25 the passages will be searched; None: with none."""
    if not config.bm25:
        return None
    analyser = analyser_of(
        stemmer=config.bm25_stemmer, stop_words=config.bm25_stop_words, tokenizer=config.bm25_tokenizer
    )
    return Bm25Settings(config.bm25_formula, analyser)


class _Planned:
    """The plan, made when the number of passages is known.

    Args:
        config: what was asked for.
        dimension: D.
    """

    def __init__(self, config: IndexConfig, dimension: int) -> None:
        self.config, self.dimension = config, dimension

    def empty(self, table: PassageTable) -> tuple[FaissIndex, int]:
        """Choose, say what it will take, and make the index.

        Raises:
            InputError: too many lists, or too little memory allowed.
        """
        config = self.config
        self.plan = Plan.of(
            config.recipe,
            count=len(table),
            dimension=self.dimension,
            lists=config.lists,
            max_memory=None if config.max_memory is None else int(1e9 * config.max_memory),
            target_recall=config.target_recall,
            bm25=config.bm25,
        )
        logger.info(
            self.plan.describe(
                table.path.stat().st_size,
                None if config.vectors is not None else config.dtype,
                keeps_shards=config.keep_shards,
                rate=lambda: product_rate(self.dimension),
            )
        )
        needed = self.plan.disk_bytes
        needed += 0 if config.vectors is not None else self.plan.shard_bytes(config.dtype)
        if needed > (free := shutil.disk_usage(config.output).free):
            logger.warning(
                "the disk of %s has %s free, and this needs %s",
                config.output,
                readable_bytes(free),
                readable_bytes(needed),
            )
        return FaissIndex(self.dimension, self.plan.factory), self.plan.rows_per_file


def _turned_up(
    config: IndexConfig,
    questions: Sequence[str] | None,
    plan: Plan,
    model: DualEncoder,
    files: Sequence[Path],
    parts: Parts,
    table: PassageTable,
) -> tuple[Settings, dict[str, float | str] | None]:
    """The search settings that reach the target, and the recall that they have; none for exact search."""
    if RECIPES[plan.recipe].exact:
        if questions is not None:
            logger.warning(
                "--questions are not used: %s is exact, so that there is no recall to measure", plan.recipe
            )
        return {}, None
    count = parts.count
    truth = Truth.of(questions, model, parts, table)
    index = FaissIndex.load(files, count)
    settings, reached = truth.turn_up(index, RECIPES[plan.recipe].ladder(index.lists), config.target_recall)
    logger.info(
        "recall@%d %.4f, measured with %d %s (%s)",
        DEPTH,
        reached,
        len(truth.queries),
        truth.queries_are,
        ", ".join(f"{name} {value}" for name, value in settings.items()) or "nothing to turn up",
    )
    if reached < config.target_recall:
        logger.warning(
            "recall@%d %.4f is below the target, %g, with the most thorough search there is: take another recipe",
            DEPTH,
            reached,
            config.target_recall,
        )
    return settings, truth.report(reached, count)


def _require_free(output: Path) -> None:
    """The output is new or empty, or holds what a killed build left: shards, and what is not yet in force.

    Raises:
        InputError: it holds anything else, of which nothing is deleted.
    """
    if (output / CURRENT).exists():
        raise InputError(
            "holds an index: ctl index add adds to it, another --output makes a new one", path=output
        )
    left = set(output.iterdir()) if output.is_dir() else {output}
    ours = {each for each in numbered(output, GENERATION) if is_ours(each)}
    left -= {output / LOCK, *ours, *unfinished_switches(output)}
    segments = output / SEGMENTS
    if segments in left and all(each in numbered(segments) and is_ours(each) for each in segments.iterdir()):
        left.remove(segments)
    if (output / BLOCKS) in left and is_ours(output / BLOCKS):
        left.remove(output / BLOCKS)
    if (output / SHARDS) in left:
        if made_with(output / SHARDS) is None:
            require_no_strangers(output / SHARDS)
        left.remove(output / SHARDS)
    if left:
        require_new_folder(output)


def _as_in_folder(config: IndexConfig) -> IndexConfig:
    """The config with shard size and data type of the shards that are there: those of ``--vectors``, or of a killed build."""
    folder = config.vectors or config.output / SHARDS
    values = made_with(folder) or {}
    there = {name: values[name] for name in ("shard_size", "dtype") if name in values}
    for name, value in there.items():
        if getattr(config, name) != value:
            logger.info("%s %s, as in %s", name, value, folder)
    return replace(config, **there)


def _mark_kept(config: IndexConfig) -> None:
    """Note beside the shards whether they stay, for whoever tidies up after a kill."""
    mark = config.output / SHARDS / KEPT
    if config.keep_shards:
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
    else:
        mark.unlink(missing_ok=True)


@contextmanager
def _held(vectors: Path | None) -> Iterator[None]:
    """Keep others from writing into the folder of ``ctl encode`` that is read, or finished, here."""
    if vectors is None:
        yield
        return
    was_there = vectors.exists()
    vectors.mkdir(parents=True, exist_ok=True)
    with locked(vectors / LOCK, "another process is encoding into this folder"):
        try:
            yield
        finally:
            if not was_there:
                drop_unused(vectors, vectors / LOCK)
