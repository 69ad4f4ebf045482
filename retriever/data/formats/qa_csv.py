"""DPR's question files, ``*.qa.csv``: the question, a tab, and the answers as a Python list.

Layout: https://github.com/facebookresearch/DPR, dpr/data/retriever_data.py, CsvQASrc: Python's csv dialect with tabs. There the second
cell is run by ``eval``; here it is read as a literal.
"""

from collections.abc import Callable, Iterable, Iterator

from retriever.data.dpr import locate_questions
from retriever.data.files import atomic_file
from retriever.data.formats.model import Data, Example, Format, Holds, Source, Target
from retriever.data.formats.rows import csv_writer
from retriever.data.lines import format_of
from retriever.errors import InputError
from retriever.records import Passage


def read(source: Source) -> Data:
    """The questions; their numbers in the file are their ids.

    Raises:
        InputError: it is no table, or as ``locate_questions``.
    """
    if format_of(source.path) not in FORMAT.suffixes:
        raise InputError(
            f"qa-csv is a table, whose name ends in {' or '.join(FORMAT.suffixes)}", path=source.path
        )
    located = locate_questions(source.path)
    examples = (Example(each.query, each.answers, named=False, line=line) for line, each in located)
    return Data(source.path, examples)


def write(target: Target, examples: Iterable[Example], _corpus: Callable[[], Iterator[Passage]]) -> None:
    """One question a row, ``[]`` where no answer is known."""
    with atomic_file(target.path) as file:
        write_row = csv_writer(file, "\t")
        for example in target.counted(examples):
            write_row([example.query.text, repr(list(example.answers))])


FORMAT = Format(
    "qa-csv",
    read,
    write,
    Holds(
        question_ids=False, answers=True, positives=False, unanswered=True, passage_ids=False, titles=False
    ),
    (".csv", ".tsv"),
)
