"""STS data as SentEval lays them out: STS12 to STS16 in pairs of files, SICK with column names of its own."""

import logging
from collections.abc import Iterator
from pathlib import Path

from retriever.data.lines import read_lines, read_table
from retriever.data.table import Header
from retriever.errors import InputError

INPUT, SCORES = "STS.input.", "STS.gs."
ALL = "ALL"
"""SemEval's own files of all subsets together, which some copies have beside them."""
SICK_COLUMNS = ("relatedness_score", "sentence_A", "sentence_B")

Cells = tuple[int, str, str, str]
"""Line, gold score, and the two sentences, as they stand in the file."""

logger = logging.getLogger(__name__)


def senteval_inputs(folder: Path) -> dict[str, Path]:
    """Subset → file of sentence pairs of STS12 to STS16, sorted by name; {}: the folder is none of these.

    Raises:
        InputError: a subset without scores.
    """
    inputs = {
        file.name.removeprefix(INPUT).removesuffix(".txt"): file
        for file in sorted(folder.glob(f"{INPUT}*.txt"))
    }
    if len(inputs) > 1 and ALL in inputs:
        logger.info("%s: %s holds all subsets together: left out", folder, inputs.pop(ALL).name)
    for subset, file in inputs.items():
        if not scores_file(file).is_file():
            raise InputError(f"no {SCORES}{subset}.txt, the scores, beside this file", path=file)
    return inputs


def is_paired(file: Path) -> bool:
    """Whether a file holds pairs whose scores are in a file of their own."""
    return file.name.startswith(INPUT)


def scores_file(input_file: Path) -> Path:
    """Where the scores of a file of pairs lie."""
    return input_file.with_name(SCORES + input_file.name.removeprefix(INPUT))


def read_paired_files(input_file: Path, scores: Path) -> Iterator[Cells]:
    """Pairs and their scores, by line; a score may be missing, a line of it may not.

    Raises:
        InputError: different numbers of lines, or a line that is no pair.
    """
    golds = [line for _, line in read_lines(scores)]
    lines = list(read_lines(input_file))
    if len(lines) != len(golds):
        raise InputError(f"{len(lines)} pairs, but {len(golds)} scores in {scores.name}", path=input_file)
    for (number, line), gold in zip(lines, golds, strict=True):
        cells = line.split("\t")  # STS16 has sources in further columns
        if len(cells) < 2:
            raise InputError("expected two sentences with a tab between them", path=input_file, line=number)
        yield number, gold, cells[0], cells[1]


def is_sick(path: Path) -> bool:
    """Whether the first line names SICK's columns."""
    _, first = next(read_lines(path))
    return set(SICK_COLUMNS) <= {name.strip() for name in first.split("\t")}


def read_sick(path: Path) -> Iterator[Cells]:
    """SICK's relatedness: the score stands behind the sentences; the entailment label is not used.

    Raises:
        InputError: a line with another number of columns than the header.
    """
    rows = read_table(path, delimiter="\t", quoted=False)
    line, names = next(rows)
    header = Header.parse(names, path, line, required=SICK_COLUMNS)
    for line, (score, first, second) in header.rows(rows, SICK_COLUMNS):
        yield line, score, first, second
