"""Names every file of an index folder, and reads and writes its manifest. Nothing else spells these names.

INDEX/CURRENT                          one line: the generation in force, and the SHA-256 of its manifest
INDEX/generation-000003/index.json     the manifest; also removed.npy, and bm25/ (statistics of all words), if there are any
INDEX/segments/000001/                 vectors-0000.faiss, passages.arrow, id_hashes.npy, id_rows.npy: row n of one is row n of the other;
                                       what would not fit into memory while it is made goes on in vectors-0001.faiss;
                                       bm25/000000/ and so on: word counts; trained.faiss: what was learned before the first vector was added, for later segments
INDEX/shards/                          vectors on the way, of a build; shards-added/, of an addition
INDEX/bm25-blocks/                     word counts on the way
INDEX/.lock                            held by the one who writes

Segments are never changed. A generation names those that it consists of, so that adding, removing and compacting write new segments
and a new generation, and put it into force by renaming one small file; what no generation names any more is deleted then.
"""

import hashlib
import os
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.choices import IndexRecipe, PassageFormat, PoolingRequest, Precision, Similarity
from retriever.data.files import atomic_file, file_sha256, read_json, write_json
from retriever.encoding.shards import KEPT, made_with
from retriever.errors import InputError

FORMAT_VERSION = 2
CURRENT = "CURRENT"
SHARDS = "shards"
ADDED = "shards-added"
SEGMENTS = "segments"
GENERATION = "generation-"
BLOCKS = "bm25-blocks"
BM25 = "bm25"
LOCK = ".lock"
VECTORS = "vectors-"
TRAINED = "trained.faiss"
PASSAGES = "passages.arrow"
REMOVED = "removed.npy"
HEAD_BYTES = 65_536
"""Of each file, whose hash is compared at every opening; whole files are hashed by ``ctl index verify``."""

OURS = re.compile(
    r"vectors-\d{4}\.faiss|trained\.faiss|passages\.arrow|id_(hashes|rows)\.npy|index\.json|removed\.npy|bm25|\..*\.tmp"
    r"|bm25\.json|\d{6}(\.tmp)?"
)
"""What lies in the folders of segments and generations, and among word counts."""

Files = dict[str, dict[str, Any]]
"""Name in the folder → bytes, sha256, head_sha256."""


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
class Segment:
    """Passages that were added together.

    Attributes:
        name: of its folder.
        count: rows, those that were removed since included.
        passages_sha256: content of the passages.
        files: of its folder.
    """

    name: str
    count: int
    passages_sha256: str
    files: Files = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """``index.json``. It holds no time and no host name: equal inputs give equal bytes.

    Attributes:
        recipe: how the vectors are indexed.
        factory: the FAISS factory string.
        search: FAISS's parameters of a search, by name.
        recall: of exact search, if this is not exact search: the share that a search with these parameters finds, and how it was measured.
        similarity: cosine (unit vectors were stored) or dot; either way the index compares by inner product.
        dimension: D.
        count: passages that are there.
        removed: rows of the segments that are not there any more.
        model: what made the vectors.
        passage_format: how title and text became one input.
        max_length: tokens per passage.
        precision: in which the encoder ran.
        bm25: whether there is a BM25 index beside.
        versions: of the libraries that wrote it.
        segments: in the order of their rows.
        files: of the generation's folder.
        fusion: how mode hybrid fuses, and how that was measured (``ctl tune-fusion``); None: as it does by default.
    """

    recipe: IndexRecipe
    factory: str
    search: dict[str, int]
    recall: dict[str, float | str] | None
    similarity: Similarity
    dimension: int
    count: int
    removed: int
    model: ModelReference
    passage_format: PassageFormat
    max_length: int
    precision: Precision
    bm25: bool
    versions: dict[str, str]
    segments: tuple[Segment, ...]
    files: Files = field(default_factory=dict)
    fusion: dict[str, str | float] | None = None

    def describe_recall(self) -> str:
        """How much of what exact search finds a search finds, in words."""
        if self.recall is None:
            return f"{self.recipe} is exact"
        values = dict(self.recall)
        queries, kind, passages = (values.pop(name) for name in ("queries", "queries_are", "passages"))
        measured = ", ".join(f"{name} {value}" for name, value in values.items())
        settings = "".join(f", {name} {value}" for name, value in self.search.items())
        return f"{self.recipe}{settings}; {measured}, measured with {queries} {kind} on {passages} passages"


@dataclass(frozen=True)
class Generation:
    """The files of one generation of an index folder.

    Attributes:
        folder: where they lie.
        manifest_sha256: what CURRENT says of the manifest; empty before the generation is in force.
    """

    folder: Path
    manifest_sha256: str = ""

    @property
    def manifest(self) -> Path:
        """The manifest's file."""
        return self.folder / "index.json"

    @property
    def removed(self) -> Path:
        """The rows that were removed, (R,) int64, sorted, counted over all segments; if any were."""
        return self.folder / REMOVED

    @property
    def bm25(self) -> Path:
        """The folder of BM25's statistics."""
        return self.folder / BM25


def vectors_file(number: int) -> str:
    """The name of one of a segment's files of vectors, from 0."""
    return f"{VECTORS}{number:04d}.faiss"


def vector_files(folder: Path, files: Files) -> list[Path]:
    """Those files of a segment's folder that hold its vectors, in the order of their rows."""
    return [folder / name for name in sorted(files) if name.startswith(VECTORS)]


def segment_folder(index: Path, name: str) -> Path:
    """The folder of a segment."""
    return index / SEGMENTS / name


def current_generation(index: Path) -> Generation:
    """The generation in force.

    Raises:
        InputError: this is no index folder, or its build has not finished.
    """
    if not index.is_dir():
        raise InputError("no such index folder", path=index)
    if not (index / CURRENT).is_file():
        unfinished = is_unfinished(index)
        reason = (
            "this index is not finished: run ctl index again"
            if unfinished
            else "not an index folder (no CURRENT)"
        )
        raise InputError(reason, path=index)
    while True:
        line = _pointer(index)
        name, _, sha256 = line.strip().partition(" ")
        if name.startswith(GENERATION) and name == Path(name).name and (index / name).is_dir():
            return Generation(index / name, sha256)
        if _pointer(index) == line:  # else it has just been replaced
            raise InputError(f"points to generation '{name}', which is not there", path=index / CURRENT)


def is_unfinished(index: Path) -> bool:
    """Whether a folder holds what a build makes before the index is in force."""
    begun = (
        each for each in numbered(index / SEGMENTS) if each.suffix == ".tmp" or (each / PASSAGES).exists()
    )
    return (index / SHARDS).is_dir() or (index / BLOCKS).is_dir() or any(begun)


def _pointer(index: Path) -> str:
    return (index / CURRENT).read_text(encoding="utf-8", errors="replace")


def numbered(folder: Path, prefix: str = "") -> dict[Path, int]:
    """The folders that this program made there, whole or on the way (``000003``, ``000004.tmp``), with their numbers."""
    return {
        each: int(found[1])
        for each in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if (found := re.fullmatch(rf"{prefix}(\d{{6}})(\.tmp)?", each.name))
    }


def next_name(folder: Path, prefix: str = "") -> str:
    """The name after the highest number that is in use there."""
    return f"{prefix}{max(numbered(folder, prefix).values(), default=0) + 1:06d}"


def switch_to(index: Path, generation: Generation) -> None:
    """Put a complete generation into force, by rename."""
    with atomic_file(index / CURRENT) as file:
        file.write(f"{generation.folder.name} {file_sha256(generation.manifest)}\n")


def is_ours(folder: Path) -> bool:
    """Whether everything in a folder that has the name of one of ours has a name that is given there."""
    return all(OURS.fullmatch(each.name) for each in folder.iterdir())


def unfinished_switches(index: Path) -> list[Path]:
    """What ``switch_to`` leaves when it is killed."""
    return sorted(index.glob(f".{CURRENT}.*.tmp"))


def delete_unused(index: Path) -> None:
    """Delete every generation but the one in force, every segment that it does not name, and shards of what is in it.

    Before a first generation is in force, that is all of them. Nothing is deleted that has not one of these names.
    """
    kept: set[Path] = set()
    if (index / CURRENT).is_file():
        generation = current_generation(index)
        segments = _read(generation).segments
        kept = {generation.folder, *(segment_folder(index, each.name) for each in segments)}
        if (made_with(index / ADDED) or {}).get("passages") == segments[-1].passages_sha256:
            shutil.rmtree(index / ADDED)
        if made_with(index / SHARDS) is not None and not (index / SHARDS / KEPT).exists():
            shutil.rmtree(index / SHARDS)
    for folder in [*numbered(index, GENERATION), *numbered(index / SEGMENTS)]:
        if folder not in kept:
            shutil.rmtree(folder)
    for file in unfinished_switches(index):
        file.unlink()
    if (index / SEGMENTS).is_dir() and not any((index / SEGMENTS).iterdir()):
        (index / SEGMENTS).rmdir()


def write_manifest(generation: Generation, manifest: Manifest) -> None:
    """Write ``index.json``."""
    write_json(generation.manifest, {"format_version": FORMAT_VERSION, **asdict(manifest)})


def read_manifest(index: Path, generation: Generation | None = None) -> Manifest:
    """The manifest of a generation; the files it names are there, with the size and the beginning that they should have.

    Args:
        index: the index folder.
        generation: None: the one in force.

    Raises:
        InputError: no index, another format version, or a file that is missing or damaged.
    """
    generation = generation or current_generation(index)
    manifest = _read(generation)
    check_files(generation.folder, manifest.files)
    for segment in manifest.segments:
        check_files(segment_folder(index, segment.name), segment.files)
    return manifest


def _read(generation: Generation) -> Manifest:
    values = read_json(generation.manifest)
    found = values.pop("format_version", None) if isinstance(values, dict) else None
    if not isinstance(values, dict) or found != FORMAT_VERSION:
        raise InputError(
            f"expected an index of format version {FORMAT_VERSION}, found {found}: build it again",
            path=generation.manifest,
        )
    if file_sha256(generation.manifest) != generation.manifest_sha256:
        raise InputError(
            "its content is not what was written: the index is damaged, build it again",
            path=generation.manifest,
        )
    try:
        model, segments = values["model"], values["segments"]
        return Manifest(
            **{
                **values,
                "model": ModelReference(**model),
                "segments": tuple(Segment(**each) for each in segments),
            }
        )
    except (TypeError, KeyError) as error:
        raise InputError(f"not the manifest of an index ({error})", path=generation.manifest) from None


def files_of(folder: Path) -> Files:
    """Size and hashes of every file in a folder."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {
        each.relative_to(folder).as_posix(): {
            "bytes": each.stat().st_size,
            "sha256": file_sha256(each),
            "head_sha256": _head_sha256(each),
        }
        for each in files
    }


def check_files(folder: Path, files: Files, *, whole: bool = False) -> None:
    """Compare files with what the manifest says of them.

    Args:
        folder: where they lie.
        files: what was written.
        whole: hash them from the first byte to the last, instead of their beginning.

    Raises:
        InputError: one is missing or damaged.
    """
    for name, expected in files.items():
        file = folder / name
        found = file.stat().st_size if file.is_file() else 0
        if found != expected["bytes"]:
            raise InputError(
                f"expected {expected['bytes']} bytes, found {found}: the index is damaged, build it again",
                path=file,
            )
        if _head_sha256(file) != expected["head_sha256"] or (
            whole and file_sha256(file) != expected["sha256"]
        ):
            raise InputError(
                "its content is not what was written: the index is damaged, build it again", path=file
            )


def _head_sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.sha256(opened.read(HEAD_BYTES)).hexdigest()


def read_removed(generation: Generation) -> NDArray[np.int64]:
    """The rows that were removed, (R,), sorted."""
    if not generation.removed.is_file():
        return np.empty(0, np.int64)
    found: NDArray[np.int64] = np.load(generation.removed, allow_pickle=False)
    return found
