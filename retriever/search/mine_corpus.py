"""Mining from files to a file: questions and a corpus → DPR training examples with hard negatives."""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from retriever.config.mining import MineConfig
from retriever.data.dpr import locate_questions, read_dpr_examples, read_questions, write_dpr_examples
from retriever.data.files import require_new_folder, require_writable
from retriever.data.folders import locked
from retriever.data.hashes import hashes_of
from retriever.data.hub import at_split
from retriever.data.lines import RECORD_FORMATS, format_of, read_json_objects
from retriever.data.shingles import jaccard, shingles
from retriever.errors import InputError
from retriever.protocols import Progress, advancing, no_progress
from retriever.records import DprExample, Passage
from retriever.search.filters import Filters
from retriever.search.mining import Miner, MiningReport, Selection, question_key
from retriever.search.sources import Sources, require_searchers

if TYPE_CHECKING:
    from retriever.search.cached_scores import CachedScores
    from retriever.search.rerank import CrossEncoder

logger = logging.getLogger(__name__)

LOCK = ".mining.lock"
SAME_PASSAGE = 0.5
"""Two texts under one id are versions of one passage if they share this part of their runs of three words."""


def mine_corpus(
    config: MineConfig,
    *,
    progress: Progress = no_progress,
    watch: Callable[[Selection], None] = lambda selection: None,
) -> MiningReport:
    """Mine hard negatives for every question and write them with their positives.

    Args:
        config: what ``ctl mine`` takes.
        progress: opens progress displays.
        watch: is shown what was decided on each question.

    Raises:
        InputError: a file or line that is wrong, a searcher that cannot be opened, or an output that is one of the inputs.
    """
    _check(config)
    known = known_of(config.questions)  # what is wrong with the first question is said before all work
    cache = config.cache or config.output.with_name(config.output.name + ".cache")
    require_searchers(config)
    cross_encoder = None if config.cross_encoder is None else _cross_encoder(config)
    report = MiningReport()
    with _held(cache):
        sources = Sources(config, cache, progress)
        # a BEIR folder's positives are in memory anyway, and what is wrong in it is said once
        of_folder = list(read_dpr_examples(config.questions)) if config.questions.is_dir() else []

        def read() -> Iterable[DprExample]:
            if of_folder:
                return of_folder
            if known == "answers":
                return read_questions_with_answers(config.questions)
            return read_dpr_examples(config.questions, sources.passages)

        miner = Miner(
            sources=sources.open(),
            passages=sources.passages,
            depth=config.depth,
            num_hard_negatives=config.num_hard_negatives,
            filters=filters_of(config),
            cross_encoder=None if cross_encoder is None else _cached(cross_encoder, cache),
            cross_encoder_below=config.cross_encoder_below,
            keep_old=config.keep_negatives,
            also_positive=positives_of_repeated(read),
        )
        checked = _of_this_corpus(read(), sources.passages, config)
        with progress(None, "mine") as advance:
            mined = advancing(miner.mine(checked, report, watch), advance)
            write_dpr_examples(config.output, _some(mined, config.questions))
    _warn(report, config)
    return report


@contextmanager
def _held(cache: Path) -> Iterator[None]:
    """The cache for this process alone; one into which nothing was put is removed again."""
    lock = cache / LOCK
    if not lock.exists():
        require_new_folder(cache)  # what is in a folder that we did not make is nobody's cache
    cache.mkdir(parents=True, exist_ok=True)
    with locked(lock, "another process mines with this cache"):
        try:
            yield
        finally:
            if list(cache.iterdir()) == [lock]:
                shutil.rmtree(cache)


def filters_of(config: MineConfig) -> Filters:
    """The filters as the settings say."""
    return Filters(
        positives=config.drop_positives,
        first_rank=config.first_rank,
        max_share=config.max_share,
        min_margin=config.min_margin,
        near_duplicate=config.near_duplicate if config.drop_near_duplicates else None,
        answers=config.drop_answers,
    )


def _check(config: MineConfig) -> None:
    """What can be wrong with the files before any is read."""
    inputs = {each.resolve() for each in (config.questions, config.passages) if each is not None}
    for output in (config.output, config.audit):
        if output is not None and output.resolve() in inputs:
            raise InputError("the output is one of the inputs", path=output)
    if config.output.suffix != ".jsonl":
        raise InputError("the output is DPR JSONL: its name must end in .jsonl", path=config.output)
    if config.audit is not None:
        if config.audit.suffix != ".html":
            raise InputError("the audit is a page: its name must end in .html", path=config.audit)
        require_writable(config.audit)
    require_writable(config.output)


def _cross_encoder(config: MineConfig) -> "CrossEncoder":
    from retriever.search.rerank import CrossEncoder  # with torch

    return CrossEncoder(str(config.cross_encoder), device=config.device)


def _cached(cross_encoder: "CrossEncoder", cache: Path) -> "CachedScores":
    from retriever.search.cached_scores import CachedScores  # SQLite, which few need

    return CachedScores(cross_encoder, cache / "scores" / f"{cross_encoder.fingerprint()[:32]}.sqlite")


def known_of(path: Path) -> Literal["passages", "positive ids", "answers"]:
    """What a file says of its questions, as the first of them does: a BEIR folder and DPR's format bring their passages.

    Raises:
        InputError: no such file, or no question that can be read in it.
    """
    path = at_split(path, "train")
    if path.is_dir():
        return "passages"
    if format_of(path) in RECORD_FORMATS:
        _, first = next(read_json_objects(path), (0, {}))
        if "positive_ctxs" in first:
            return "passages"
    return "positive ids" if next(read_questions(path)).positive_ids else "answers"


def read_questions_with_answers(path: Path) -> Iterator[DprExample]:
    """Questions with answers, whose positives are still to be found among the passages.

    Raises:
        InputError: a file or line that is wrong, a question without answers, or one that names its positive.
    """
    for line, question in locate_questions(at_split(path, "train")):
        name = f"question '{question.query.id}'"
        if question.positive_ids:
            raise InputError(
                f"{name} names its positive passage, the first question does not", path=path, line=line
            )
        if not question.answers:
            raise InputError(f"{name} has neither answers nor positive_passage_id", path=path, line=line)
        yield DprExample(question.query, (), answers=question.answers)


def positives_of_repeated(read: Callable[[], Iterable[DprExample]]) -> dict[str, list[Passage]]:
    """Question → the positives of all rows that ask it, where several rows do and name different ones.

    One row's positive would otherwise become another row's hard negative. The questions are read twice where there is such a
    one, so that memory holds two numbers for each of the others.
    """
    first: dict[int, int] = {}  # hashes of the question, and of its positives
    repeated: dict[str, dict[str, Passage]] = {}
    for example in read():
        key = question_key(example.query.text)
        question, positives = hashes_of([key, "\0".join(each.id for each in example.positives)]).tolist()
        if first.setdefault(question, positives) != positives:
            repeated[key] = {}
    for example in read() if repeated else ():
        of_question = repeated.get(question_key(example.query.text))
        if of_question is not None:
            of_question |= {each.id: each for each in example.positives}
    return {key: list(passages.values()) for key, passages in repeated.items()}


def _of_this_corpus(
    examples: Iterable[DprExample], passages: Mapping[str, Passage], config: MineConfig
) -> Iterator[DprExample]:
    """The examples, counting what says that they were made for another corpus, and what is about to be replaced."""
    others = replaced = 0
    for example in examples:
        for each in example.positives:
            there = passages.get(each.id)
            if there is not None and there.text != each.text:
                others += jaccard(shingles(there.text), shingles(each.text)) < SAME_PASSAGE
        replaced += len(example.hard_negatives)
        yield example
    if others:
        logger.warning(
            "%d positives have the id of a passage of the corpus and another text: was %s made for another corpus?",
            others,
            config.questions,
        )
    if replaced and not config.keep_negatives:
        logger.info(
            "%d hard negatives that the questions had are replaced; --keep-negatives keeps them", replaced
        )


def _warn(report: MiningReport, config: MineConfig) -> None:
    """What a user has to know of the result."""
    if report.without_positive:
        logger.warning(
            "%d of %d questions left out: none of their first %d passages holds an answer",
            report.without_positive,
            report.questions + report.without_positive,
            config.depth,
        )
    if report.without_negative:
        logger.warning(
            "%d of %d questions have no mined hard negative: more passages than --depth %d, or other filters, may find one",
            report.without_negative,
            report.questions,
            config.depth,
        )
    if report.positive_not_found:
        logger.warning(
            "the positive was not among the %d passages found in %d rankings, of which --max-share and --min-margin reject all",
            config.depth,
            report.positive_not_found,
        )


def _some(examples: Iterable[DprExample], path: Path) -> Iterator[DprExample]:
    """The examples, of which there must be one."""
    empty = True
    for each in examples:
        empty = False
        yield each
    if empty:
        raise InputError("no question has a positive passage: there is nothing to train on", path=path)
