"""The questions of an evaluation and what judges them, of files or of a BEIR folder."""

from dataclasses import dataclass
from pathlib import Path

from retriever.choices import Split
from retriever.data.beir import find_queries, find_questions
from retriever.data.dpr import read_questions
from retriever.data.rankings import read_qrels
from retriever.errors import InputError
from retriever.records import Qrels, Question


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions and judgements.

    Attributes:
        name: of the task: the questions' file, or the BEIR folder that the files lie in; with another split than test, that too.
        questions_file: where the questions came from; None: from nowhere.
        qrels_file: where the judgements came from; None: there are none.
        questions: all of them; None: there are none.
        qrels: query id → passage id → grade; None: positive ids and answers of the questions judge.
    """

    name: str
    questions_file: Path | None
    qrels_file: Path | None
    questions: list[Question] | None
    qrels: Qrels | None

    @classmethod
    def read(cls, questions: Path | None, qrels: Path | None, split: Split = "test") -> "QuestionSet":
        """Read them.

        Args:
            questions: a file, or a BEIR folder.
            qrels: judgements instead of the folder's.
            split: of the folder.

        Raises:
            InputError: a split of what is no folder, or as ``read_questions``, ``read_qrels`` and ``find_questions``.
        """
        is_folder = questions is not None and questions.is_dir()
        if split != "test" and (qrels is not None or not is_folder):
            raise InputError(
                f"split {split} chooses qrels of a BEIR folder, and here none are taken",
                path=qrels or questions,
            )
        name = _name_of(questions, qrels, split)
        if questions is not None and is_folder and qrels is None:
            questions, qrels = find_questions(questions, split)
        elif questions is not None and is_folder:
            questions = find_queries(questions)
        return cls(
            name,
            questions,
            qrels,
            None if questions is None else list(read_questions(questions)),
            None if qrels is None else read_qrels(qrels),
        )

    @property
    def judgements_file(self) -> Path | None:
        """The file of what judges: qrels where there are any, else the questions."""
        return self.qrels_file or self.questions_file

    def inputs(self) -> set[Path]:
        """The files that were read, which nothing may be written over."""
        return {each.resolve() for each in (self.questions_file, self.qrels_file) if each is not None}

    def texts(self) -> dict[str, str]:
        """Question id → text."""
        return {each.query.id: each.query.text for each in self.questions or ()}


def _name_of(questions: Path | None, qrels: Path | None, split: str) -> str:
    """One name for one set, however its files are given: in every BEIR folder they are called alike."""
    folder = questions if questions is not None and questions.is_dir() else None
    if qrels is not None and qrels.resolve().parent.name == "qrels":
        above = qrels.resolve().parents[1]
        if questions is None or above in (questions.resolve(), questions.resolve().parent):
            folder, split = above, qrels.name.partition(".")[0]
    if folder is not None:
        return folder.resolve().name + ("" if split == "test" else f"-{split}")
    place = questions or qrels
    return "" if place is None else place.stem
