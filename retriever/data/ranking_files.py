"""Rankings in files, told by their names: ``.json`` and ``.jsonl`` are DPR's results, the rest are TREC runs."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from retriever.data.dpr import passage_id_of, question_id_of
from retriever.data.files import atomic_file
from retriever.data.json_record import JsonRecord, read_records
from retriever.data.lines import format_of, require_some
from retriever.data.rankings import WriteRanking, read_rankings
from retriever.errors import InputError
from retriever.records import Passage, Question, Ranking

logger = logging.getLogger(__name__)


def is_dpr_results(path: Path) -> bool:
    """Whether the file's name is that of DPR's results."""
    return format_of(path) in (".json", ".jsonl")


def read_ranking_file(
    path: Path, questions: Sequence[Question] | None = None
) -> Iterator[tuple[str, Ranking]]:
    """Query ids and rankings, streamed in file order.

    DPR's results are objects of ``question`` and ``ctxs``, each with ``id`` and ``score``, best first. DPR writes no ids of questions:
    an object without one belongs to the question that reads the same; where there are no ``questions``, or the object has no text, to
    the one of its number, from 1, as for ``read_questions``, which is told. Scores that rise are distances, as DPR's HNSW index gives:
    their negatives count. The first ranking with different scores tells which they are, for the whole file.

    Args:
        path: the file.
        questions: what was asked.

    Raises:
        InputError: as ``read_rankings``; of DPR's results also scores that neither fall nor rise, or do what others in the file do not,
            and a question that is none of the ``questions``, or several of them.
    """
    if not is_dpr_results(path):
        yield from read_rankings(path)
        return
    seen: set[str] = set()
    asked, scale = _Asked.of(questions), _Scale()
    for number, record in enumerate(require_some(read_records(path), path, "rankings"), start=1):
        query_id = question_id_of(record) or asked.id_of(record, number)
        if query_id in seen:
            raise record.error(f"query '{query_id}' has two rankings")
        seen.add(query_id)
        yield query_id, _dpr_ranking(record, scale)


@dataclass(slots=True)
class _Asked:
    """The questions by their texts, for results that do not name them."""

    questions: Sequence[Question]
    ids: dict[str, list[str]]
    numbered: bool = False

    @classmethod
    def of(cls, questions: Sequence[Question] | None) -> "_Asked":
        ids: dict[str, list[str]] = {}
        for each in questions or ():
            ids.setdefault(each.query.text, []).append(each.query.id)
        return cls(questions or (), ids)

    def id_of(self, record: JsonRecord, number: int) -> str:
        text = record.optional_text("question")
        if not text or not self.ids:
            if not self.numbered:
                logger.warning(
                    "%s: the question of line %d has no id and cannot be found by its text: taken by its number",
                    record.path,
                    record.line,
                )
            self.numbered = True
            return str(number)
        ids = self.ids.get(text, [])
        if not ids:
            raise record.error(f"the results have no ids, and '{text}' is none of the questions")
        if len(ids) == 1:
            return ids[0]
        # in a file in the questions' order the number tells them apart
        alike = self.questions[number - 1 : number]
        if alike and alike[0].query.text == text:
            return alike[0].query.id
        raise record.error(
            f"the results have no ids, and '{text}' is the text of questions '{ids[0]}' and '{ids[1]}'"
        )


@dataclass(slots=True)
class _Scale:
    """Whether a file's scores fall or rise from the best passage on; line 0: not known yet."""

    rise: bool = False
    line: int = 0

    def turned(self, scores: list[float], record: JsonRecord) -> list[float]:
        """Scores that fall; InputError where they do not, or rise where others in the file fall."""
        if len(set(scores)) > 1:
            rise = scores == sorted(scores)
            if not rise and scores != sorted(scores, reverse=True):
                raise record.error("the scores of the passages neither fall nor rise")
            if not self.line:
                self.rise, self.line = rise, record.line
                if rise:
                    logger.warning("%s: the scores rise: taken as distances", record.path)
            if rise != self.rise:
                ways = ("rise", "fall") if rise else ("fall", "rise")
                raise record.error(f"the scores {ways[0]}, and those of line {self.line} {ways[1]}")
        return [-each for each in scores] if self.rise else scores


def _dpr_ranking(record: JsonRecord, scale: _Scale) -> Ranking:
    if "ctxs" not in record.values:
        raise record.error("no 'ctxs', the passages of DPR's results")
    hits = record.records("ctxs")
    ids = [passage_id_of(each) for each in hits]
    if None in ids:
        raise hits[ids.index(None)].error("the passage has no id")
    named = [each for each in ids if each is not None]
    scores = scale.turned([_score(each) for each in hits], record)
    if len(set(named)) < len(named):
        twice = next(each for each in named if named.count(each) > 1)
        raise record.error(f"passage '{twice}' twice in a ranking")
    return Ranking(named, scores)


def _score(hit: JsonRecord) -> float:
    value = hit.values.get("score")
    try:
        score = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        score = None
    if score is None or score != score:
        raise hit.error(f"'score' must be a number, found {repr(value)[:40]}")
    return score


@contextmanager
def dpr_results_file(
    path: Path,
    questions: Mapping[str, Question],
    passages: Mapping[str, Passage],
    has_answer: Callable[[str, Iterable[str]], bool],
) -> Iterator[WriteRanking]:
    """DPR's results, written ranking by ranking: the file appears when it is complete.

    An array of ``{id, question, answers, ctxs: [{id, title, text, score, has_answer}]}``, the score a string, as in DPR's files; the
    question's id is ours. A ``.jsonl`` file holds the same objects, one a line.

    Args:
        path: the file to write.
        questions: by id.
        passages: by id.
        has_answer: whether a passage's text holds one of the answers.

    Raises:
        InputError: as ``atomic_file``, or a passage that is not there.
    """
    lines = format_of(path) == ".jsonl"
    with atomic_file(path) as file:
        separator = "" if lines else "[\n"

        def write(query_id: str, ranking: Ranking) -> None:
            nonlocal separator
            question = questions[query_id]
            found = {
                "id": query_id,
                "question": question.query.text,
                "answers": list(question.answers),
                "ctxs": [
                    {
                        "id": passage.id,
                        "title": passage.title,
                        "text": passage.text,
                        "score": repr(hit.score),
                        "has_answer": has_answer(passage.text, question.answers),
                    }
                    for hit, passage in ((hit, _found(passages, hit.id)) for hit in ranking)
                ],
            }
            file.write(separator + json.dumps(found, ensure_ascii=False) + ("\n" if lines else ""))
            separator = "" if lines else ",\n"

        yield write
        if not lines:
            file.write("[]\n" if separator == "[\n" else "\n]\n")


def _found(passages: Mapping[str, Passage], passage_id: str) -> Passage:
    if passage_id not in passages:
        raise InputError(f"passage '{passage_id}' was found and is not in the corpus")
    return passages[passage_id]
