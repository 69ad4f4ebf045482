"""Names every file of an index folder, and reads and writes its manifest. Nothing else spells these names.

INDEX/CURRENT                         one line: the generation in force
INDEX/generation-000001/index.json    the manifest
INDEX/generation-000001/segments/0001/vectors.faiss, passages.arrow   row n of one is row n of the other
INDEX/generation-000001/bm25/         optional
INDEX/shards/                         vectors on the way
"""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from retriever.choices import IndexRecipe, PassageFormat, PoolingRequest, Similarity
from retriever.data.files import atomic_file, read_json, write_json
from retriever.errors import InputError

FORMAT_VERSION = 1
CURRENT = "CURRENT"
SHARDS = "shards"
VECTORS = "vectors.faiss"
FIRST_GENERATION = "generation-000001"


@dataclass(frozen=True)
class ModelReference:
    """The model that made the vectors.

    Attributes:
        fingerprint: decides whether another model may be used.
        name: what the user called it.
        folder: for a local folder, where it lay as seen from the index folder, so that the two can move together.
        pooling: what the user had to say for a plain Hugging Face folder.
        passage_name: what the user called the passages' model, when it is another one than the questions'.
        passage_folder: where that one lay, as ``folder``.
    """

    fingerprint: str
    name: str
    folder: str | None = None
    pooling: PoolingRequest | None = None
    passage_name: str | None = None
    passage_folder: str | None = None

    @classmethod
    def of(
        cls,
        name: str,
        passage_name: str | None,
        fingerprint: str,
        index: Path,
        pooling: PoolingRequest | None,
    ) -> "ModelReference":
        """The reference to a model, or to two, from an index folder."""
        passage_folder = None if passage_name is None else _beside(passage_name, index)
        return cls(fingerprint, name, _beside(name, index), pooling, passage_name, passage_folder)

    def locate(self, index: Path) -> str:
        """The model's name, or its folder: where it lay beside the index, else as the user typed it."""
        return _located(self.name, self.folder, index)

    def locate_passage_model(self, index: Path) -> str | None:
        """As ``locate``, the passages' model; None: it is the same."""
        if self.passage_name is None:
            return None
        return _located(self.passage_name, self.passage_folder, index)


def _beside(name: str, index: Path) -> str | None:
    """Where a local folder lies, as seen from the index folder."""
    return os.path.relpath(Path(name).resolve(), index.resolve()) if Path(name).is_dir() else None


def _located(name: str, folder: str | None, index: Path) -> str:
    """A model's folder beside the index, else its name as the user typed it."""
    if folder is None:
        return name
    beside = Path(os.path.normpath(index.resolve() / folder))
    return str(beside) if beside.is_dir() or not Path(name).is_dir() else name


@dataclass(frozen=True)
class Manifest:
    """``index.json``. It holds no time and no host name: equal inputs give equal bytes.

    Attributes:
        recipe: how the vectors are indexed.
        factory: the FAISS factory string.
        similarity: cosine (unit vectors were stored) or dot; either way the index compares by inner product.
        dimension: D.
        count: passages.
        model: what made the vectors.
        passage_format: how title and text became one input.
        max_length: tokens per passage.
        precision: in which the encoder ran.
        passages_sha256: content of the passages.
        bm25: whether there is a BM25 index beside.
        versions: of the libraries that wrote it.
        files: path in the generation → bytes and SHA-256.
    """

    recipe: IndexRecipe
    factory: str
    similarity: Similarity
    dimension: int
    count: int
    model: ModelReference
    passage_format: PassageFormat
    max_length: int
    precision: str
    passages_sha256: str
    bm25: bool
    versions: dict[str, str]
    files: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Generation:
    """The files of one generation."""

    folder: Path

    @property
    def manifest(self) -> Path:
        """The manifest's file."""
        return self.folder / "index.json"

    @property
    def segment(self) -> Path:
        """The folder of the vectors and passages."""
        return self.folder / "segments" / "0001"

    @property
    def vectors(self) -> Path:
        """The FAISS index."""
        return self.segment / VECTORS

    @property
    def passages(self) -> Path:
        """The Arrow table of passages."""
        return self.segment / "passages.arrow"

    @property
    def bm25(self) -> Path:
        """The folder of the BM25 index."""
        return self.folder / "bm25"


def current_generation(index: Path) -> Generation:
    """The generation in force.

    Raises:
        InputError: this is no index folder, or its build has not finished.
    """
    if not index.is_dir():
        raise InputError("no such index folder", path=index)
    if not (index / CURRENT).is_file():
        unfinished = (index / SHARDS).is_dir()
        reason = (
            "this index is not finished: run ctl index again"
            if unfinished
            else "not an index folder (no CURRENT)"
        )
        raise InputError(reason, path=index)
    name = (index / CURRENT).read_text(encoding="utf-8").strip()
    if name != Path(name).name or not (index / name).is_dir():
        raise InputError(f"points to generation '{name}', which is not there", path=index / CURRENT)
    return Generation(index / name)


def switch_to(index: Path, generation: Generation) -> None:
    """Put a complete generation into force, by rename."""
    with atomic_file(index / CURRENT) as file:
        file.write(generation.folder.name + "\n")


def write_manifest(generation: Generation, manifest: Manifest) -> None:
    """Write ``index.json``."""
    write_json(generation.manifest, {"format_version": FORMAT_VERSION, **asdict(manifest)})


def read_manifest(index: Path) -> Manifest:
    """The manifest of the generation in force; the files it names are there and have their size.

    Raises:
        InputError: no index, another format version, or a file that is missing or of another size.
    """
    generation = current_generation(index)
    values = read_json(generation.manifest)
    if not isinstance(values, dict) or values.pop("format_version", None) != FORMAT_VERSION:
        raise InputError(f"expected an index of format version {FORMAT_VERSION}", path=generation.manifest)
    try:
        manifest = Manifest(**{**values, "model": ModelReference(**values["model"])})
    except (TypeError, KeyError) as error:
        raise InputError(f"not the manifest of an index ({error})", path=generation.manifest) from None
    for name, expected in manifest.files.items():
        file = generation.folder / name
        found = file.stat().st_size if file.is_file() else 0
        if found != expected["bytes"]:
            raise InputError(
                f"expected {expected['bytes']} bytes, found {found}: the index is damaged", path=file
            )
    return manifest
