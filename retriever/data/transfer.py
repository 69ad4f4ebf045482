"""Transfer tasks: where their files lie, our tables or SentEval's own, and what they hold."""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from retriever.data import senteval_transfer
from retriever.data.hub import without_shard
from retriever.data.labelled import is_labelled_format, read_labelled_texts
from retriever.data.lines import format_of
from retriever.errors import InputError
from retriever.records import LabelledText, TransferTask

logger = logging.getLogger(__name__)

WHOLE = "all"
"""In the place of a split: the one file of a task without splits."""
_IN_FOLDERS = (".tsv", ".csv", ".jsonl", ".parquet")
"""Not .json: such a file beside the tables is mostly one about them."""
_SPLITS = {
    "train": "train",
    "dev": "dev",
    "valid": "dev",
    "validation": "dev",
    "trial": "dev",
    "test": "test",
}
_NAME = re.compile(rf"(?:(?P<task>.+)[-_.])?(?P<split>{'|'.join(_SPLITS)})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TransferFiles:
    """A task's name, and its files.

    Attributes:
        name: after the file or the folder.
        files: split → file; of SentEval's binary tasks, label → file.
        senteval: which of SentEval's tasks the files are, in SentEval's own form; None for tables.
    """

    name: str
    files: dict[str, Path]
    senteval: str | None = None

    @property
    def path(self) -> Path:
        """The file that the task is, or the folder of its files."""
        first, *others = self.files.values()
        return first.parent if others else first


def find_transfer_tasks(paths: Iterable[Path]) -> list[TransferFiles]:
    """The tasks that files and folders hold; a task whose train and test files are both named counts once.

    A file is a task for cross-validation, unless it is called ``train``, ``dev`` or ``test``, or ``NAME_train`` and the like: then
    it is one with the other splits beside it. A folder is a task with splits, one of SentEval's, or a family of tasks as files
    and folders.

    Raises:
        InputError: no task, a task without train or test file, or two tasks of one name.
    """
    found: list[TransferFiles] = []
    for path in paths:
        for task in _in_folder(path) if path.is_dir() else [_of_file(path)]:
            if task in found:
                continue
            if any(each.name == task.name for each in found):
                raise InputError(
                    f"two of the data sets are called '{task.name}'; evaluate them one by one", path=path
                )
            found.append(task)
    return found


def read_transfer_task(task: TransferFiles) -> TransferTask:
    """Read a task's files.

    Raises:
        InputError: as ``read_labelled_texts``, or a line of SentEval's that is of another form.
    """
    if task.senteval is not None:
        return _read_senteval(task, task.senteval)
    splits = {split: list(read_labelled_texts(file)) for split, file in task.files.items()}
    return TransferTask(
        task.name, splits.get("train") or splits[WHOLE], splits.get("dev", []), splits.get("test", [])
    )


def task_sha256(task: TransferTask) -> str:
    """SHA-256 of the items of a task, in their order and by split, whatever the format they were read from."""
    digest = sha256()
    for split, items in {"train": task.train, "dev": task.dev, "test": task.test}.items():
        for item in items:
            row = [split, item.label, item.first, item.second]
            digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def _read_senteval(task: TransferFiles, name: str) -> TransferTask:
    """SentEval's own files; its rows without text (CR has four) are left out and counted, as in data_scripts/transfer.py."""
    if name in senteval_transfer.BINARY:
        return TransferTask(
            task.name, _with_text(task.name, senteval_transfer.read_binary(task.files), 1), [], []
        )
    read, texts = senteval_transfer.READERS[name], 2 if name == "mrpc" else 1
    splits = {
        split: _with_text(f"{task.name}, {split}", read(file), texts) for split, file in task.files.items()
    }
    return TransferTask(task.name, splits["train"], splits.get("dev", []), splits["test"])


def _with_text(name: str, rows: Iterator[senteval_transfer.Row], texts: int) -> list[LabelledText]:
    """The rows whose label and last ``texts`` cells are not empty."""
    kept, blank = [], 0
    for row in rows:
        cells = [" ".join(cell.split()) for cell in (row[0], *row[-texts:])]
        if all(cells):
            kept.append(LabelledText(*cells))
        else:
            blank += 1
    if blank:
        logger.warning("%s: %d of %d rows have no text and are left out", name, blank, blank + len(kept))
    return kept


def _of_file(path: Path) -> TransferFiles:
    task, split = _name_of(path)
    if split == WHOLE or not path.is_file():
        return TransferFiles(
            task, {WHOLE: path}
        )  # one that is missing or of another format is told by the reader
    files = (each for each in path.parent.iterdir() if each.is_file() and is_labelled_format(each))
    return _grouped([each for each in files if _name_of(each)[0] == task])[0]


def _in_folder(path: Path) -> list[TransferFiles]:
    """What a folder holds itself, and what the folders in it hold."""
    found = _directly_in(path)
    if not found or found[0].senteval is None:
        inner = sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
        held = {each.name: _directly_in(each) for each in inner}
        if left_out := [name for name, tasks in held.items() if not tasks]:
            logger.info("%s: no task in %s", path, ", ".join(left_out))
        found += [task for tasks in held.values() for task in tasks]
    if not found:
        raise InputError("no table of labels and texts in this folder, nor SentEval's files", path=path)
    return found


def _directly_in(folder: Path) -> list[TransferFiles]:
    for name, members in (senteval_transfer.BINARY | senteval_transfer.SPLITS).items():
        files = {key: folder.joinpath(*PurePosixPath(each).parts[1:]) for key, each in members.items()}
        if all(file.is_file() for file in files.values()):
            return [TransferFiles(name, files, name)]
    files_here = (each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    return _grouped([each for each in files_here if format_of(each) in _IN_FOLDERS])


def _grouped(files: Sequence[Path]) -> list[TransferFiles]:
    """Tables of one folder as tasks: those that differ in the split alone belong together."""
    groups: dict[str, dict[str, Path]] = {}
    for file in sorted(files):
        task, split = _name_of(file)
        group = groups.setdefault(task, {})
        if split in group:
            raise InputError(
                f"two files for one split of '{task}': {group[split].name}, {file.name}", path=file.parent
            )
        group[split] = file
    return [_checked(task, group) for task, group in groups.items()]


def _checked(task: str, files: dict[str, Path]) -> TransferFiles:
    names, folder = ", ".join(file.name for file in files.values()), next(iter(files.values())).parent
    if WHOLE in files and len(files) > 1:
        raise InputError(f"'{task}' is one file as well as a file for each split: {names}", path=folder)
    if WHOLE not in files and not {"train", "test"} <= files.keys():
        missing = "train" if "train" not in files else "test"
        raise InputError(f"task '{task}' has no {missing} file (found: {names})", path=folder)
    return TransferFiles(task, files)


def _name_of(path: Path) -> tuple[str, str]:
    """Task and split by the file's name: ``TREC_train.tsv`` → TREC, train; ``trec/test.tsv.gz`` → trec, test; ``CR.tsv`` → CR, all."""
    stem = Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem
    parts = _NAME.fullmatch(without_shard(stem))
    if parts is None:
        return stem, WHOLE
    return parts["task"] or path.resolve().parent.name, _SPLITS[parts["split"].lower()]
