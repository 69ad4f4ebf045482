"""Judgements and rankings on disk: BEIR's and TREC's qrels, and TREC runs both ways."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby, pairwise
from operator import itemgetter
from pathlib import Path

import numpy as np

from retriever.data.files import atomic_file
from retriever.data.lines import read_lines
from retriever.data.table import Header
from retriever.errors import InputError
from retriever.records import Qrels, Ranking, Rankings

logger = logging.getLogger(__name__)

_BEIR_COLUMNS = ("query-id", "corpus-id", "score")
_RUN_COLUMNS = 6
LARGEST_GRADE = 1000
"""trec_eval counts the passages of each grade in an array as long as the largest: one of 2³¹ would end the process."""


def read_qrels(path: Path) -> Qrels:
    """Judgements: query id → passage id → grade.

    Either BEIR's table, tab separated with the header ``query-id corpus-id score``, or TREC's, without
    header, four columns apart by white space: query id, iteration (ignored), passage id, grade. Grades are
    whole numbers up to ``LARGEST_GRADE``, above or below 0; a passage may be judged twice if both grades are the same.

    Raises:
        InputError: a file or line that is wrong, a passage with two grades, or no judgement at all.
    """
    qrels: Qrels = {}
    for line, query_id, passage_id, grade in _judgements(path):
        try:
            number = int(grade)
        except ValueError:
            raise InputError(f"grade must be a whole number, found '{grade}'", path=path, line=line) from None
        if abs(number) > LARGEST_GRADE:
            message = f"grade must be at most {LARGEST_GRADE}, above or below 0, found '{grade}'"
            raise InputError(message, path=path, line=line)
        grades = qrels.setdefault(query_id, {})
        if grades.setdefault(passage_id, number) != number:
            both = f"{grades[passage_id]} and {number}"
            message = f"query '{query_id}' has two grades for passage '{passage_id}': {both}"
            raise InputError(message, path=path, line=line)
    if not qrels:
        raise InputError("no judgements in this file", path=path)
    return qrels


def judgement_line(path: Path, query_id: str, passage_id: str) -> int:
    """The line in which the file judges the passage for the query."""
    return next(line for line, *ids, _ in _judgements(path) if ids == [query_id, passage_id])


def _judgements(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line, query id, passage id, grade."""
    lines = ((number, line) for number, line in read_lines(path) if line.strip())
    first = next(lines, None)
    if first is None:
        return
    names = first[1].split("\t")
    if {name.strip() for name in names} & set(_BEIR_COLUMNS):
        header = Header.parse(names, path, first[0], required=_BEIR_COLUMNS)
        rows = ((number, [cell.strip() for cell in line.split("\t")]) for number, line in lines)
        for number, (query_id, passage_id, grade) in header.rows(rows, _BEIR_COLUMNS):
            if not (query_id and passage_id):
                raise InputError("the query id or the passage id is empty", path=path, line=number)
            yield number, query_id, passage_id, grade
        return
    for number, line in chain([first], lines):
        cells = line.split()
        if len(cells) != 4:
            message = f"expected 4 columns (query id, iteration, passage id, grade), found {len(cells)}"
            raise InputError(message, path=path, line=number)
        yield number, cells[0], cells[2], cells[3]


WriteRanking = Callable[[str, Ranking], None]
"""Appends the ranking of a query to a file."""


@contextmanager
def rankings_file(path: Path, tag: str) -> Iterator[WriteRanking]:
    """A TREC run that is written ranking by ranking, ``query-id Q0 passage-id rank score tag``, and appears when it is complete.

    Scores are written in full, so that the order survives. Equal scores keep their order in the file and its ranks;
    trec_eval goes by score, then by passage id.

    Args:
        path: the file to write.
        tag: the name of the system, one word.

    Raises:
        InputError: the tag or an id is empty or holds white space, which separates the columns; or as
            ``atomic_file``.
    """
    _require_word("tag", tag, path)
    with atomic_file(path) as file:

        def write(query_id: str, ranking: Ranking) -> None:
            _require_word("query id", query_id, path)
            for rank, hit in enumerate(ranking, start=1):
                _require_word("passage id", hit.id, path)
                file.write(f"{query_id} Q0 {hit.id} {rank} {hit.score!r} {tag}\n")

        yield write


def write_rankings(path: Path, rankings: Rankings, tag: str) -> None:
    """Write a TREC run, streamed; as ``rankings_file``."""
    with rankings_file(path, tag) as write:
        for query_id, ranking in rankings:
            write(query_id, ranking)


def _require_word(what: str, value: str, path: Path) -> None:
    if value.split() != [value]:
        problem = f"holds white space: '{value}'" if value else "is empty"
        raise InputError(f"{what} {problem}; a TREC run separates its columns by white space", path=path)


def read_rankings(path: Path) -> Iterator[tuple[str, Ranking]]:
    """Query ids and rankings of a TREC run, streamed in file order.

    Larger scores come first, as in trec_eval; equal scores stay in the order of the file. The rank column moves nothing. Where a
    ranking's lines are not in the order of its scores, and its ranks are not either, that is told: the scores may be distances.

    Raises:
        InputError: a file or line that is wrong, a passage twice in a ranking, a query in two places, or no
            ranking.
    """
    finished: set[str] = set()
    contradicted = 0
    for query_id, lines in groupby(_run_lines(path), key=itemgetter(2)):
        numbers, scores, _, ids, ranks = zip(*lines, strict=True)
        if query_id in finished:
            raise InputError(f"query '{query_id}' appears in two places", path=path, line=numbers[0])
        finished.add(query_id)
        if len(set(ids)) < len(ids):
            place = next(place for place, each in enumerate(ids) if each in ids[:place])
            message = f"passage '{ids[place]}' twice for query '{query_id}'"
            raise InputError(message, path=path, line=numbers[place])
        values = np.array(scores)
        if (values[1:] > values[:-1]).any():
            order = np.argsort(-values, kind="stable")
            contradicted += not _are_rising([ranks[place] for place in order])
            ids, values = tuple(ids[place] for place in order), values[order]
        yield query_id, Ranking(ids, values)
    if not finished:
        raise InputError("no rankings in this file", path=path)
    if contradicted:
        logger.warning(
            "%s: in %d of %d rankings the ranks contradict the scores; the scores count, larger ones first",
            path,
            contradicted,
            len(finished),
        )


def _are_rising(ranks: Sequence[str]) -> bool:
    numbers = [int(each) if each.isascii() and each.isdecimal() else 0 for each in ranks]
    return all(first <= second for first, second in pairwise(numbers))


def _run_lines(path: Path) -> Iterator[tuple[int, float, str, str, str]]:
    """Line, score, query id, passage id, rank; a file may have a hundred million of them."""
    for number, line in read_lines(path):
        try:
            query_id, _, passage_id, rank, cell, _ = line.split()
            score = float(cell)
        except ValueError:
            cells = line.split()
            if not cells:
                continue
            if len(cells) != _RUN_COLUMNS:
                message = (
                    f"expected 6 columns (query id, Q0, passage id, rank, score, tag), found {len(cells)}"
                )
                raise InputError(message, path=path, line=number) from None
            score, cell = math.nan, cells[4]
        if score != score:
            raise InputError(f"score must be a number, found '{cell}'", path=path, line=number)
        yield number, score, query_id, passage_id, rank
