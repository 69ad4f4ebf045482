"""Names of data sets on the Hugging Face hub, where a file's name is expected: ``hf:OWNER/NAME@CONFIG:SPLIT``."""

import re
from dataclasses import dataclass
from pathlib import Path

from retriever.choices import Split
from retriever.errors import InputError

HUB = "hf:"

_HUB_SPLITS: dict[Split, str] = {"train": "train", "dev": "validation", "test": "test"}
_PARTS = re.compile(r"hf:(?P<name>.+?)(@(?P<config>[^@/:]+))?(:(?P<split>\w+(\.\w+)*))?")
_ON_THE_HUB = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def is_hub_name(path: Path) -> bool:
    """Whether this is the name of a data set and not of a file: it begins with ``hf:``."""
    return str(path).startswith(HUB)


@dataclass(frozen=True, slots=True)
class HubName:
    """A data set, and which of its configurations and splits is meant.

    ``hf:NAME``, ``hf:NAME:SPLIT``, ``hf:NAME@CONFIG`` or ``hf:NAME@CONFIG:SPLIT``. No name on the hub holds an @ or a
    colon. A folder or file of that name on this machine comes first; ``./`` or ``/`` at its beginning asks for one.
    """

    name: str
    config: str | None = None
    split: str | None = None

    @classmethod
    def parse(cls, path: Path) -> "HubName":
        """The parts of a name.

        Raises:
            InputError: it can be neither a name on the hub nor a folder or file that is there.
        """
        parts = _PARTS.fullmatch(str(path))
        found = None if parts is None else cls(parts["name"], parts["config"], parts["split"])
        if found is not None and found.local is None and found.name.startswith((".", "/", "~")):
            raise InputError("no such folder or file", path=path)
        if found is None or (found.local is None and not _ON_THE_HUB.fullmatch(found.name)):
            raise InputError("expected hf:OWNER/NAME, hf:OWNER/NAME@CONFIG or hf:OWNER/NAME:SPLIT", path=path)
        return found

    @property
    def local(self) -> Path | None:
        """The folder or file on this machine; None: the hub is asked."""
        path = Path(self.name).expanduser()
        return path if path.exists() else None

    @property
    def is_one_table(self) -> bool:
        """Whether it has no splits: a file, or a folder that ``Dataset.save_to_disk`` wrote."""
        local = self.local
        return local is not None and (local.is_file() or (local / "state.json").is_file())

    @property
    def is_saved(self) -> bool:
        """Whether ``save_to_disk`` of a ``Dataset`` or ``DatasetDict`` wrote the folder."""
        marks = ("state.json", "dataset_dict.json")
        return self.local is not None and any((self.local / mark).is_file() for mark in marks)


def local_path(path: Path) -> Path | None:
    """The file or folder that is meant; None: the hub is asked."""
    return HubName.parse(path).local if is_hub_name(path) else path


def named_split(path: Path) -> Split | None:
    """The split that the name of a data set says, "dev" for ``hf:NAME:validation``; None if it says none of ours."""
    said = HubName.parse(path).split if is_hub_name(path) else None
    return next((split for split, name in _HUB_SPLITS.items() if said in (split, name)), None)


def at_split(path: Path, split: Split) -> Path:
    """The path; of a data set that has splits and names none, with the split that is meant.

    ``hf:NAME`` becomes ``hf:NAME:train``, and for "dev" ``hf:NAME:validation``, as hubs call it.
    """
    if not is_hub_name(path):
        return path
    hub = HubName.parse(path)
    return path if hub.split or hub.is_one_table else Path(f"{path}:{_HUB_SPLITS[split]}")


def without_shard(name: str) -> str:
    """The name of a file without the end that data sets of Hugging Face's hub give it, as in ``train-00000-of-00002``."""
    return re.sub(r"-\d{5}-of-\d{5}$", "", name)
