"""Mining from files to a file: questions and a corpus → DPR training examples with BM25's hard negatives."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from retriever.config.mining import MineConfig
from retriever.data.answers import has_answer
from retriever.data.corpus import read_passage_table
from retriever.data.dpr import read_dpr_examples, read_questions, write_dpr_examples
from retriever.data.files import require_writable
from retriever.data.lines import RECORD_FORMATS, format_of, read_json_objects
from retriever.errors import InputError
from retriever.lexical.bm25 import bm25_of
from retriever.protocols import Progress, Searcher, no_progress
from retriever.records import DprExample, Passage, Question
from retriever.search.mining import MiningReport, mine_hard_negatives

logger = logging.getLogger(__name__)


def mine_corpus(config: MineConfig, *, progress: Progress = no_progress) -> MiningReport:
    """Mine hard negatives for every question and write them with their positives; the index is temporary.

    Raises:
        InputError: a file or line that is wrong, or an output that is one of the inputs.
    """
    if config.output.resolve() in (config.questions.resolve(), config.passages.resolve()):
        raise InputError("the output is one of the inputs", path=config.output)
    if config.output.suffix != ".jsonl":
        raise InputError("the output is DPR JSONL: its name must end in .jsonl", path=config.output)
    require_writable(config.output)
    passages = read_passage_table(config.passages)
    report = MiningReport()
    searcher = bm25_of(list(passages.values()), progress=progress)
    mined = mine_hard_negatives(
        read_examples(config.questions, passages, searcher, config.depth),
        searcher,
        passages,
        depth=config.depth,
        num_hard_negatives=config.num_hard_negatives,
        report=report,
    )
    with progress(None, "mine") as advance:
        write_dpr_examples(config.output, some(counted(mined, advance), config.questions))
    return report


def some(examples: Iterable[DprExample], path: Path) -> Iterator[DprExample]:
    """The examples, of which there must be one."""
    empty = True
    for each in examples:
        empty = False
        yield each
    if empty:
        raise InputError("no question has a positive passage: there is nothing to train on", path=path)


def read_examples(
    path: Path, passages: Mapping[str, Passage], searcher: Searcher, depth: int
) -> Iterator[DprExample]:
    """The questions with their positives: from the file, or the first passage found that holds an answer.

    The second is how DPR got the positives of the data sets that have none (section 4.1); a question without such a
    passage among the first ``depth`` is left out.
    """
    if path.is_dir() or holds_contexts(path) or next(read_questions(path)).positive_ids:
        yield from read_dpr_examples(path, passages)
        return
    total = found = 0
    for question in read_questions(path):
        total += 1
        positive = find_positive(question, passages, searcher, depth, path)
        if positive is not None:
            found += 1
            yield DprExample(question.query, (positive,), answers=question.answers)
    if found < total:
        left = f"{total - found:,} of {total:,}"
        logger.warning("%s questions left out: none of their first %d passages holds an answer", left, depth)


def holds_contexts(path: Path) -> bool:
    """Whether a file is in DPR's training format, whose questions bring their passages with them."""
    if format_of(path) not in RECORD_FORMATS:
        return False
    _, first = next(read_json_objects(path), (0, {}))
    return "positive_ctxs" in first


def find_positive(
    question: Question, passages: Mapping[str, Passage], searcher: Searcher, depth: int, path: Path
) -> Passage | None:
    """The first passage found for a question that holds one of its answers."""
    name = f"question '{question.query.id}'"
    if question.positive_ids:
        raise InputError(f"{name} names its positive passage, the first question does not", path=path)
    if not question.answers:
        raise InputError(f"{name} has neither answers nor positive_passage_id", path=path)
    (ranking,) = searcher.search([question.query.text], depth)
    found = (passages[passage_id] for passage_id in ranking.ids)
    return next((passage for passage in found if has_answer(passage.text, question.answers)), None)


def counted(examples: Iterable[DprExample], advance: Callable[[int], None]) -> Iterator[DprExample]:
    """The examples, each reported as done when the next is asked for."""
    for example in examples:
        yield example
        advance(1)
