"""Questions, and training examples: DPR's format, or questions that name their positive passage."""

import ast
import difflib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from retriever.choices import Split
from retriever.data.beir import BeirFolder, judged_examples
from retriever.data.files import atomic_file
from retriever.data.hub import at_split
from retriever.data.json_record import JsonRecord, read_records
from retriever.data.lines import RECORD_FORMATS, format_of, read_table, require_some
from retriever.data.table import check_width
from retriever.errors import InputError, stop_at
from retriever.records import DprExample, MinedPassage, Passage, Query, Question, content_id

logger = logging.getLogger(__name__)

PROVENANCE = ("source", "rank", "score", "cross_encoder")
"""Where a hard negative was found, as ``ctl mine`` writes it beside the passage."""


class NeedsCorpus(InputError):
    """Positive passages are named by their ids, and there is no corpus to look them up in."""


class NotInCorpus(InputError):
    """A positive passage that is named by its id and is not there."""


QUESTION_IDS = ("id", "_id", "query_id", "qid")
"""Names of a question's id in our files and those of BEIR and Tevatron; the first that is there counts."""
PASSAGE_IDS = ("passage_id", "psg_id", "id", "_id", "docid")
"""Names of a passage's id in the files of DPR, which differ from set to set, BEIR and Tevatron."""


_KEYS = {"question", "answers", "positive_passage_id", "positive_ctxs", "hard_negative_ctxs", "negative_ctxs"}


def read_question_texts(path: Path | None) -> list[str] | None:
    """The questions of a file, where one is given, without what it knows of them; errors as ``read_questions``."""
    return None if path is None else [each.query.text for each in read_questions(path)]


def read_questions(path: Path) -> Iterator[Question]:
    """Questions with what the file knows of their answers, streamed in file order.

    Formats, by name (text files also with ``.gz``); a question without id gets its number in the file, from 1:

    * ``.jsonl``, ``.json``, ``.parquet``, ``.arrow`` or a data set, ``hf:NAME:SPLIT``: ``question``, and
      optionally ``id``, ``answers`` (list of strings) and ``positive_passage_id`` (one or a list); BEIR's ``_id``
      and ``text``; or DPR's training format, of whose ``positive_ctxs`` the ids are taken where there are any.
    * ``.csv`` or ``.tsv``: DPR's ``*.qa.csv``, tab separated in both cases and without header: the question
      and a list of answers as Python or JSON writes it.

    Raises:
        InputError: a file or line that is wrong, an id that occurs twice, or no question at all.
    """
    for _, question in locate_questions(path):
        yield question


def locate_questions(path: Path) -> Iterator[tuple[int, Question]]:
    """As ``read_questions``, each question with its line."""
    kind = format_of(path)
    if kind in RECORD_FORMATS:
        located: Iterator[tuple[int, Question]] = (
            (record.line, _question(record, number))
            for number, record in enumerate(read_records(path), start=1)
        )
    elif kind in (".csv", ".tsv"):
        located = _read_answer_table(path)
    else:
        raise InputError(
            "expected a .jsonl, .json, .parquet, .arrow, .csv or .tsv file of questions", path=path
        )
    first_lines: dict[str, int] = {}
    for line, question in require_some(located, path, "questions"):
        require_new_id(first_lines, question.query.id, path, line)
        yield line, question


def require_new_id(first_lines: dict[str, int], question_id: str, path: Path, line: int) -> None:
    """Remember a question's id and its line; InputError if it was there before."""
    if question_id in first_lines:
        first = first_lines[question_id]
        raise InputError(
            f"duplicate question id '{question_id}' (first in line {first})", path=path, line=line
        )
    first_lines[question_id] = line


def _question(record: JsonRecord, number: int) -> Question:
    positive_ids = record.ids("positive_passage_id")
    if not positive_ids:
        found = map(passage_id_of, record.records("positive_ctxs"))
        positive_ids = tuple(each for each in found if each is not None)
    return Question(_query(record, number), record.texts("answers"), positive_ids)


def _query(record: JsonRecord, number: int) -> Query:
    name = "text" if "question" not in record.values and "text" in record.values else "question"
    text = record.text(name)
    if not text.strip():
        raise record.error(f"'{name}' is empty")
    return Query(question_id_of(record) or str(number), text)


def _read_answer_table(path: Path) -> Iterator[tuple[int, Question]]:
    rows = read_table(path, delimiter="\t", quoted=True)
    for number, (line, cells) in enumerate(rows, start=1):
        check_width(cells, 2, path, line)
        if not cells[0].strip():
            raise InputError("the question is empty", path=path, line=line)
        yield line, Question(Query(str(number), cells[0]), _parse_answers(cells[1], path, line))


def _parse_answers(cell: str, path: Path, line: int) -> tuple[str, ...]:
    """The answers in a cell such as ``['May 18, 2018']``: read as a literal, never run as code."""
    try:
        answers = ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        answers = None
    if not isinstance(answers, list) or not all(isinstance(each, str) for each in answers):
        shown = cell if len(cell) <= 40 else cell[:37] + "..."
        raise InputError(f"expected a list of answer strings, found {shown}", path=path, line=line)
    return tuple(answers)


def read_dpr_examples(
    path: Path, passages: Mapping[str, Passage] | None = None, *, split: Split = "train"
) -> Iterator[DprExample]:
    """Training examples, streamed in file order.

    From a BEIR folder (``beir.judged_examples``); or from ``.json`` (an array), ``.jsonl`` (both also ``.gz``),
    ``.parquet``, ``.arrow`` or a data set, ``hf:NAME``, that holds one of

    * DPR's format: ``question``, ``answers``, and ``positive_ctxs``, ``hard_negative_ctxs`` and ``negative_ctxs``
      (random passages) of ``title``, ``text`` and, optionally, an id; a passage without id gets
      ``records.content_id``. What ``ctl mine`` wrote says where it was found (``MinedPassage``); DPR's scores are left out.
    * Questions with ``positive_passage_id``, one or a list, which are looked up in ``passages``.

    A question stays as it is written. DPR's own code makes ’ a ' in it; that would have to happen to every question
    that is searched, too.

    Args:
        path: the file, folder or data set.
        passages: the corpus, by passage id; a BEIR folder brings its own.
        split: which questions of a folder, or of a data set that does not name its split.

    Raises:
        InputError: a file or line that is wrong, a question without positive passage, a positive that is not
            among the passages, an id that occurs twice, or no question at all.
    """
    for _, example in locate_dpr_examples(path, passages, split=split):
        yield example


def locate_dpr_examples(
    path: Path,
    passages: Mapping[str, Passage] | None = None,
    *,
    split: Split = "train",
    refuse: Callable[[InputError], None] = stop_at,
) -> Iterator[tuple[int, DprExample]]:
    """As ``read_dpr_examples``, each example with its line; of a BEIR folder, with that of its question.

    Args:
        path: the file, folder or data set.
        passages: the corpus, by passage id.
        split: as for ``read_dpr_examples``.
        refuse: called with what is wrong with an example, which is then left out.
    """
    if path.is_dir():
        yield from _locate_judged(BeirFolder.find(path, split))
        return
    path = at_split(path, split)
    _require_records(path)
    first_lines: dict[str, int] = {}
    for number, record in enumerate(require_some(read_records(path), path, "questions"), start=1):
        if number == 1:
            _tell_misspelt(record, path)
        try:
            example = _example(record, number, passages)
            require_new_id(first_lines, example.query.id, path, record.line)
        except InputError as error:
            refuse(error)
        else:
            yield record.line, example


def _tell_misspelt(record: JsonRecord, path: Path) -> None:
    """Warn of a key that is nearly one of ours: what it holds would be missing without a word."""
    for name in record.values.keys() - _KEYS:
        if meant := difflib.get_close_matches(name, _KEYS - record.values.keys(), n=1, cutoff=0.85):
            logger.warning("%s: key '%s' is not used: is '%s' meant?", path, name, meant[0])


def _require_records(path: Path) -> None:
    if format_of(path) not in RECORD_FORMATS:
        raise InputError(
            "expected a .json, .jsonl, .parquet or .arrow file of questions with their passages", path=path
        )


def _locate_judged(files: BeirFolder) -> Iterator[tuple[int, DprExample]]:
    line = 0

    def questions() -> Iterator[Question]:
        nonlocal line
        for at, question in locate_questions(files.queries):
            line = at
            yield question

    for example in judged_examples(files, questions()):
        yield line, example  # of the question that was taken last


def _example(record: JsonRecord, number: int, passages: Mapping[str, Passage] | None) -> DprExample:
    query = _query(record, number)
    positives = _passages(record, "positive_ctxs") or _look_up(record, passages)
    if not positives:
        raise record.error("no positive passage")
    hard_negatives, other_negatives = (
        _passages(record, name) for name in ("hard_negative_ctxs", "negative_ctxs")
    )
    return DprExample(query, positives, hard_negatives, record.texts("answers"), other_negatives)


def read_named_positives(path: Path) -> Iterator[str]:
    """The ids of positive passages that a file of training data names and does not hold; errors as ``read_json_objects``."""
    _require_records(path)
    for record in require_some(read_records(path), path, "questions"):
        if not record.values.get("positive_ctxs"):
            try:
                yield from record.ids("positive_passage_id")
            except InputError:
                continue  # who reads the examples is told


def _passages(record: JsonRecord, name: str) -> tuple[Passage, ...]:
    return tuple(map(_passage, record.records(name)))


def _passage(record: JsonRecord) -> Passage:
    text, title = record.text("text"), record.optional_text("title")
    passage_id = passage_id_of(record)
    if passage_id is None:
        passage_id = content_id(text, title)
    source, rank, score, cross_encoder = (record.values.get(name) for name in PROVENANCE)
    if isinstance(source, str) and isinstance(rank, int) and isinstance(score, int | float):
        scored = cross_encoder if isinstance(cross_encoder, float) else None
        return MinedPassage(
            passage_id, text, title, source=source, rank=rank, score=float(score), cross_encoder=scored
        )
    return Passage(passage_id, text, title)  # DPR's own files have scores, and do not say whose they are


def question_id_of(record: JsonRecord) -> str | None:
    """The first id of a question that is not empty; None if it has none; InputError if there is an empty one only."""
    return _first_id(record, QUESTION_IDS) or record.id(*QUESTION_IDS)


def passage_id_of(record: JsonRecord) -> str | None:
    """The first id of a passage that is not empty, as it is where the passage is not in the corpus; None if there is none."""
    return _first_id(record, PASSAGE_IDS)


def _first_id(record: JsonRecord, names: Iterable[str]) -> str | None:
    return record.id(*(name for name in names if record.values.get(name) != ""))


def _look_up(record: JsonRecord, passages: Mapping[str, Passage] | None) -> tuple[Passage, ...]:
    ids = record.ids("positive_passage_id")
    if ids and passages is None:
        raise NeedsCorpus(
            "the positive passage is given by id only: pass the corpus with --passages",
            path=record.path,
            line=record.line,
        )
    for each in ids:
        if each not in (passages or {}):
            raise NotInCorpus(
                f"positive passage '{each}' is not in the passages", path=record.path, line=record.line
            )
    return tuple((passages or {})[each] for each in ids)


def write_dpr_examples(path: Path, examples: Iterable[DprExample]) -> int:
    """Write training examples as DPR JSONL, one line each; ``read_dpr_examples`` gives equal examples back.

    The file appears under its name when all examples are written. A passage whose id is only its content's
    gets no ``passage_id``, as no corpus knows that id.

    Returns:
        The number of examples.
    """
    count = 0
    with atomic_file(path) as file:
        for example in examples:
            record = {
                "id": example.query.id,
                "question": example.query.text,
                "answers": list(example.answers),
                "positive_ctxs": list(map(_context, example.positives)),
                "negative_ctxs": list(map(_context, example.other_negatives)),
                "hard_negative_ctxs": list(map(_context, example.hard_negatives)),
            }
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def _context(passage: Passage) -> dict[str, object]:
    context: dict[str, object] = {"title": passage.title, "text": passage.text}
    if passage.id != content_id(passage.text, passage.title):
        context["passage_id"] = passage.id
    if isinstance(passage, MinedPassage):
        context |= {name: value for name in PROVENANCE if (value := getattr(passage, name)) is not None}
    return context
