"""What a transfer task must have before anything is encoded: classes, enough of each, and no empty text."""

from collections import Counter
from pathlib import Path

from retriever.errors import InputError
from retriever.records import LabelledText, TransferTask

FOLDS = 10


def require_usable(task: TransferTask, folds: int = FOLDS, path: Path | None = None) -> None:
    """Raise InputError unless a classifier can be trained on a task, chosen and tested; see ``evaluate_transfer``; ``path`` is where it comes from."""
    items = [*task.train, *task.dev, *task.test]
    if any(not text.strip() for item in items for text in texts_of(item)):
        raise InputError(f"task '{task.name}' has an empty text", path=path)
    if len({item.second is None for item in items}) > 1:
        raise InputError(f"task '{task.name}' has pairs of texts beside single texts", path=path)
    if task.dev and not task.test:
        raise InputError(f"task '{task.name}' has a dev split and no test split", path=path)
    sizes = Counter(item.label for item in task.train)
    if len(sizes) < 2:
        found = (
            f"no item has a label but '{next(iter(sizes))}'" if sizes else "there are no items to train on"
        )
        raise InputError(f"task '{task.name}': {found}; a classifier needs two classes", path=path)
    _require_known_labels(task, set(sizes), path)
    label, size = min(sizes.items(), key=lambda each: each[1])
    least = 1 if task.dev else folds if task.test else folds + 2
    if size < least:
        inside = "" if task.test else f" and {folds} inside each"
        raise InputError(
            f"task '{task.name}': {folds} folds{inside} need {least} items of each label, and '{label}' has {size}: "
            "leave out or merge small classes, or lower the number of folds",
            path=path,
        )


def _require_known_labels(task: TransferTask, known: set[str], path: Path | None) -> None:
    """Every class of dev and test must be one of train's."""
    for split, items in (("dev", task.dev), ("test", task.test)):
        if unknown := sorted({item.label for item in items} - known):
            raise InputError(
                f"task '{task.name}': train has no item with the label '{unknown[0]}' of {split}",
                path=path,
            )


def texts_of(item: LabelledText) -> list[str]:
    """One, or the two of a pair."""
    return [item.first] if item.second is None else [item.first, item.second]
