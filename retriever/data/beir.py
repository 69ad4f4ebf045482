"""BEIR folders as training data: corpus.jsonl, queries.jsonl, and the judgements of each split in qrels/."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from retriever.choices import Split
from retriever.data.corpus import read_passages
from retriever.data.rankings import judgement_line, read_qrels
from retriever.errors import InputError
from retriever.records import DprExample, Question

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BeirFolder:
    """The three files of one split; each may end in ``.gz``."""

    corpus: Path
    queries: Path
    qrels: Path

    @classmethod
    def find(cls, folder: Path, split: Split) -> "BeirFolder":
        """The files of a folder.

        Raises:
            InputError: one of them is not there.
        """
        return cls(*_find(folder, ("corpus.jsonl", "queries.jsonl", f"qrels/{split}.tsv")))


def find_questions(folder: Path, split: Split) -> tuple[Path, Path]:
    """Questions and judgements of a BEIR folder, whose corpus need not be there; errors as ``BeirFolder.find``."""
    queries, qrels = _find(folder, ("queries.jsonl", f"qrels/{split}.tsv"))
    return queries, qrels


def find_queries(folder: Path) -> Path:
    """The questions of a BEIR folder, of which nothing else need be there; errors as ``BeirFolder.find``."""
    return _find(folder, ("queries.jsonl",))[0]


def _find(folder: Path, names: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    for name in names:
        file = next((each for each in (folder / name, folder / f"{name}.gz") if each.is_file()), None)
        if file is None:
            expected = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
            raise InputError(
                f"no {name} in this folder, expected a BEIR folder of {expected}{_judged(folder)}",
                path=folder,
            )
        found.append(file)
    return found


def _judged(folder: Path) -> str:
    names = sorted(each.name for each in (folder / "qrels").glob("*.tsv*"))
    return f" (found in qrels: {', '.join(names)})" if names else ""


def judged_examples(files: BeirFolder, questions: Iterable[Question]) -> Iterator[DprExample]:
    """The questions with the passages that are judged above 0 for them, in the order of the judgements.

    A passage judged 0 is no positive. A judged question without a positive is left out, and one warning says how many
    they are. Of the corpus, only the positives stay in memory.

    Raises:
        InputError: a positive that is not in the corpus, a question with positives that is not among the questions,
            no positive at all, or as ``read_qrels`` and ``read_passages``.
    """
    qrels = read_qrels(files.qrels)
    waiting = {
        query_id: [passage_id for passage_id, grade in grades.items() if grade > 0]
        for query_id, grades in qrels.items()
    }
    wanted = {passage_id for passage_ids in waiting.values() for passage_id in passage_ids}
    if not wanted:
        raise InputError("no passage is judged above 0", path=files.qrels)
    passages = {each.id: each for each in read_passages(files.corpus) if each.id in wanted}
    for query_id, passage_ids in waiting.items():
        for passage_id in passage_ids:
            if passage_id not in passages:
                line = judgement_line(files.qrels, query_id, passage_id)
                message = f"passage '{passage_id}' is not in {files.corpus.name}"
                raise InputError(message, path=files.qrels, line=line)
    without = sum(not passage_ids for passage_ids in waiting.values())
    if without:
        logger.warning(
            "%s: %d of %d judged questions have no passage judged above 0: left out",
            files.qrels,
            without,
            len(waiting),
        )
    for question in questions:
        if positives := waiting.pop(question.query.id, []):
            yield DprExample(
                question.query, tuple(passages[each] for each in positives), (), question.answers
            )
    for query_id, passage_ids in waiting.items():
        if passage_ids:
            line = judgement_line(files.qrels, query_id, passage_ids[0])
            raise InputError(
                f"query '{query_id}' is not in {files.queries.name}", path=files.qrels, line=line
            )
