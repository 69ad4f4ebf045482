"""A corpus → vectors on disk, shard by shard: a killed run goes on at the first missing shard."""

import logging
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.choices import VectorType
from retriever.data.files import atomic_file, file_sha256, read_json, read_json_object, write_json
from retriever.errors import InputError
from retriever.protocols import Progress, no_progress
from retriever.records import Passage

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
KEPT = "KEPT"
"""A file that says that the shards stay when the index is built."""
BESIDE = (KEPT, ".lock", "passages.arrow")
"""What lies in the folder before the manifest."""
NUMPY_TYPE: dict[VectorType, type[np.floating]] = {"fp32": np.float32, "fp16": np.float16}
EncodePassages = Callable[[Sequence[Passage]], NDArray[np.float32]]


@dataclass(frozen=True)
class Shard:
    """The vectors of ``count`` passages from row ``start``, in a .npy file of (count, D) float32 or float16."""

    start: int
    count: int
    file: Path

    def vectors(self) -> NDArray[np.floating]:
        """The vectors, memory-mapped."""
        found: NDArray[np.floating] = np.load(self.file, mmap_mode="r", allow_pickle=False)
        return found


RunShards = Callable[[Sequence[Shard], Callable[[int], None]], None]
"""Makes the shards that are missing, in any order and anywhere, and tells how many passages were just done."""


def embed_corpus(
    count: int,
    folder: Path,
    run: RunShards,
    *,
    shard_size: int,
    dtype: VectorType = "fp32",
    made_with: Mapping[str, object],
    drop_others: bool = False,
    progress: Progress = no_progress,
) -> list[Shard]:
    """Encode every passage into ``folder``; shards that are there, whole and of the same making are kept.

    Args:
        count: passages of the corpus.
        folder: made if missing.
        run: makes shards.
        shard_size: passages per shard.
        dtype: in which vectors are written.
        made_with: everything the vectors depend on (model fingerprint, corpus hash, format, length …), JSON values.
        drop_others: delete shards that were made with something else, instead of refusing them.
        progress: one tick a passage.

    Raises:
        InputError: the folder holds shards made with something else, or what is no shard, or a vector has a number too large for
            ``dtype``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made_with = {**made_with, "shard_size": shard_size, "dtype": dtype, "count": count}
    if drop_others and (other := _difference(made_with, folder)) is not None:
        logger.warning("%s are deleted: they were made with %s", folder, other)
        shutil.rmtree(folder)
        folder.mkdir()
    if (other := _difference(made_with, folder)) is not None:
        raise InputError(
            f"the shards here were made with {other}: name another folder, or give what they were made with",
            path=folder,
        )
    for leftover in leftovers(folder):
        leftover.unlink()
    if not (folder / MANIFEST).exists():
        require_no_strangers(folder)
        write_json(folder / MANIFEST, made_with)
    shards = [
        Shard(start, min(shard_size, count - start), folder / f"{number:06d}.npy")
        for number, start in enumerate(range(0, count, shard_size))
    ]
    missing = [shard for shard in shards if not _is_whole(shard)]
    kept = count - sum(shard.count for shard in missing)
    if kept:
        logger.info("going on after %d of %d passages, which were encoded before", kept, count)
    with progress(count, "encode passages") as advance:
        advance(kept)
        run(missing, advance)
    return shards


def run_here(passages: Sequence[Passage], encode: EncodePassages, dtype: VectorType) -> RunShards:
    """Shards are made one after the other, in this process.

    Args:
        passages: the corpus, sliceable.
        encode: passages → (N, D) float32.
        dtype: in which vectors are written.
    """

    def run(missing: Sequence[Shard], advance: Callable[[int], None]) -> None:
        for shard in written(missing, passages, encode, dtype):
            advance(shard.count)

    return run


def written(
    shards: Iterable[Shard], passages: Sequence[Passage], encode: EncodePassages, dtype: VectorType
) -> Iterator[Shard]:
    """Each shard when it is on the disk, where a thread writes it while the next one is encoded."""
    with ThreadPoolExecutor(1) as thread:
        writing: tuple[Shard, Future[None]] | None = None
        for shard in shards:
            vectors = encode(passages[shard.start : shard.start + shard.count])
            if writing is not None:
                writing[1].result()
                yield writing[0]
            writing = shard, thread.submit(write_shard, shard, vectors, dtype)
        if writing is not None:
            writing[1].result()
            yield writing[0]


def write_shard(shard: Shard, vectors: NDArray[np.float32], dtype: VectorType) -> None:
    """The vectors, and only then the entry that says they are whole."""
    if vectors.shape[0] != shard.count or vectors.dtype != np.float32:
        raise ValueError(f"expected {shard.count} float32 vectors, got {vectors.shape} of {vectors.dtype}")
    if dtype == "fp16" and np.abs(vectors).max(initial=0) > np.finfo(np.float16).max:
        raise InputError(
            f"a vector of passages {shard.start} to {shard.start + shard.count} is too long for fp16"
        )
    with atomic_file(shard.file, "wb") as file:
        np.save(file, vectors.astype(NUMPY_TYPE[dtype], copy=False), allow_pickle=False)
    entry = {"bytes": shard.file.stat().st_size, "sha256": file_sha256(shard.file)}
    write_json(shard.file.with_suffix(".json"), entry)


def _is_whole(shard: Shard) -> bool:
    """Whether the shard's vectors are on disk with the size and hash of their entry."""
    entry_file = shard.file.with_suffix(".json")
    if not (entry_file.is_file() and shard.file.is_file()):
        return False
    entry = read_json(entry_file)
    if not isinstance(entry, dict) or entry.get("bytes") != shard.file.stat().st_size:
        return False
    return entry.get("sha256") == file_sha256(shard.file)


def leftovers(folder: Path) -> list[Path]:
    """What ``atomic_file`` leaves of our files in a run that was killed."""
    return [
        each
        for each in folder.iterdir()
        if re.fullmatch(r"\.(manifest|\d{6})\.(json|npy)\.[0-9a-f]{8}\.tmp", each.name)
    ]


def require_no_strangers(folder: Path) -> None:
    """Of a folder that has no manifest yet.

    Raises:
        InputError: it holds what is not of a run that was killed at its very start.
    """
    known = {*leftovers(folder), *(folder / name for name in BESIDE)}
    if strangers := sorted(set(folder.iterdir()) - known):
        raise InputError(f"holds something else ({strangers[0].name}): name a new folder", path=folder)


def made_with(folder: Path) -> dict[str, Any] | None:
    """What the shards in a folder were made with; None: there are none."""
    if not (folder / MANIFEST).exists():
        return None
    return read_json_object(folder / MANIFEST)


def _difference(asked: Mapping[str, object], folder: Path) -> str | None:
    """In what the shards on disk are not of this making: another model, corpus or setting. None: in nothing, or there are none."""
    found = made_with(folder)
    if found is None:
        return None
    different = [key for key, value in asked.items() if found.get(key) != value]
    if "passages" in different and found.get("count") != asked["count"]:
        return f"{found.get('count')} other passages, not these {asked['count']}"
    said = [f"{key} {_shown(found.get(key))}, not {_shown(asked[key])}" for key in different]
    return "; ".join(said) or None


def _shown(value: object) -> object:
    """A hash by its beginning."""
    return f"{value[:12]}…" if isinstance(value, str) and len(value) == 64 else value
