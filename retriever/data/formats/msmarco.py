"""MS MARCO's passage ranking: collection.tsv, queries.SPLIT.tsv, qrels.SPLIT.tsv and, for training, triples of ids.

Layout: https://microsoft.github.io/msmarco/Datasets, "Passage ranking dataset": tab-separated without header or quotes; qrels are
TREC's, ``qid 0 pid 1``; a line of qidpidtriples is a query, a passage that is relevant, and one that is not.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, get_args

from retriever.choices import Split
from retriever.data.files import atomic_file
from retriever.data.folders import replaced_folder
from retriever.data.formats.groups import NEGATIVE, Groups
from retriever.data.formats.judged import contexts_of_grades, judgements_of, require_questions
from retriever.data.formats.model import (
    GRADE,
    Context,
    Data,
    Example,
    Format,
    Holds,
    LocatedPassages,
    Report,
    Source,
    Target,
)
from retriever.data.formats.rows import one_line
from retriever.data.lines import read_table, require_some
from retriever.data.rankings import read_qrels
from retriever.data.table import check_width
from retriever.errors import InputError
from retriever.records import Passage, Qrels, Query

COLLECTION, TRIPLES = "collection", "qidpidtriples"


def read(source: Source) -> Data:
    """The questions that are judged, their negatives from the triples, and the collection."""
    collection = find_table(source.path, COLLECTION, None)
    queries, qrels = (find_table(source.path, kind, source.split) for kind in ("queries", "qrels"))
    triples = find_table(source.path, TRIPLES, source.split, needed=False)
    if collection is None or queries is None or qrels is None:
        raise InputError("expected collection.tsv, queries.SPLIT.tsv and qrels.SPLIT.tsv", path=source.path)
    examples = _examples(queries, qrels, triples, source.report)
    named = (each for each in get_args(Split) if each in qrels.name.split("."))
    return Data(queries, examples, _collection(collection), source.split or next(named, None))


def find_table(folder: Path, kind: str, split: Split | None, *, needed: bool = True) -> Path | None:
    """The one table of a kind, of a split if that is named: ``queries.dev.small.tsv``.

    Raises:
        InputError: there are several, or none and it is needed.
    """
    files = [each for each in sorted(folder.glob(f"{kind}*")) if each.name.endswith((".tsv", ".tsv.gz"))]
    found = [each for each in files if split is None or split in each.name.split(".")]
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise InputError(
            f"which of {names} is meant? name the split with --split, or move one away", path=folder
        )
    if not found and needed:
        raise InputError(f"no {kind}{f'.{split}' if split else ''}.tsv in this folder", path=folder)
    return found[0] if found else None


def _rows(path: Path, width: int) -> Iterator[tuple[int, list[str]]]:
    for line, cells in require_some(read_table(path, delimiter="\t", quoted=False), path, "rows"):
        check_width(cells, width, path, line)
        if not cells[0].strip():
            raise InputError("the id is empty", path=path, line=line)
        yield line, cells


def _collection(path: Path) -> LocatedPassages:
    for line, cells in _rows(path, 2):
        yield f"{path.name}:{line}", Passage(*cells)


def _examples(queries: Path, qrels: Path, triples: Path | None, report: Report) -> Iterator[Example]:
    judged = read_qrels(qrels)
    groups = Groups() if triples is None else _negatives(triples, judged, report)
    for line, (query_id, text) in _rows(queries, 2):
        if not text.strip():
            raise InputError("the question is empty", path=queries, line=line)
        grades = judged.pop(query_id, None)
        if grades is None:
            report.dropped[f"questions that {qrels.name} does not judge"] += 1
            continue
        positives, negatives = contexts_of_grades(grades)
        mined = (each for each in groups.values(query_id, NEGATIVE) if each not in grades)
        negatives = (*negatives, *map(Context, mined))
        yield Example(Query(query_id, text), (), positives, negatives, line=line)
    require_questions(judged, qrels, queries)


def _negatives(path: Path, judged: Qrels, report: Report) -> Groups:
    """The negatives of each question; rows that contradict the judgements are counted and left out."""
    groups = Groups()
    for _, (query_id, positive, negative) in _rows(path, 3):
        grades = judged.get(query_id)
        if grades is None:
            report.dropped["triples of a question without judgement"] += 1
        elif grades.get(positive, 0) <= 0:
            report.dropped["triples whose positive is not judged above 0"] += 1
        elif grades.get(negative, 0) > 0:
            report.dropped["triples whose negative is judged above 0"] += 1
        else:
            groups.add(query_id, NEGATIVE, negative)
    return groups


def write(target: Target, examples: Iterable[Example], corpus: Callable[[], Iterator[Passage]]) -> None:
    """A folder of tables; triples only if there are negatives, each with every positive of its question."""
    report = target.report
    with replaced_folder(target.path) as folder:
        with ExitStack() as stack:
            queries, qrels, triples = (
                stack.enter_context(atomic_file(folder / f"{kind}.{target.split}.tsv"))
                for kind in ("queries", "qrels", TRIPLES)
            )
            for example in target.counted(examples):
                queries.write(
                    f"{_word(example.query.id, target.path)}\t{one_line(example.query.text, report)}\n"
                )
                _write_judged(example, qrels, triples, target)
        written = folder / f"{TRIPLES}.{target.split}.tsv"
        if written.stat().st_size == 0:
            written.unlink()
        with atomic_file(folder / f"{COLLECTION}.tsv") as collection:
            for passage in corpus():
                collection.write(f"{_word(passage.id, target.path)}\t{one_line(passage.text, report)}\n")


def _write_judged(example: Example, qrels: IO[Any], triples: IO[Any], target: Target) -> None:
    judged, mined = judgements_of(example, target.path, target.report)
    for passage_id, grade in judged:
        qrels.write(f"{example.query.id}\t0\t{_word(passage_id, target.path)}\t{grade}\n")
    for negative in mined:
        for positive in example.positives:
            triples.write(f"{example.query.id}\t{positive.id}\t{_word(negative, target.path)}\n")


def _word(value: str, path: Path) -> str:
    if value.split() != [value]:
        raise InputError(
            f"the id {value!r} holds white space, which separates the columns of qrels", path=path
        )
    return value


FORMAT = Format(
    "msmarco",
    read,
    write,
    Holds(
        hard_negatives=True,
        made_ids=True,
        titles=False,
        corpus=True,
        notes=frozenset({GRADE}),
    ),
)
