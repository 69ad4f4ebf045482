"""Scores of question and passage read together, by a cross-encoder of sentence-transformers."""

import logging
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retriever.choices import PassageFormat
from retriever.data.files import file_sha256, read_json
from retriever.data.hashes import add_text
from retriever.encoding.device import choose_device
from retriever.encoding.dual_encoder import format_passages
from retriever.encoding.locate import locate_model
from retriever.encoding.model_folder import transformer_folder
from retriever.errors import InputError
from retriever.records import Passage

logger = logging.getLogger(__name__)

PASSAGE_FORMAT: PassageFormat = "{title}. {text}"
BATCH_SIZE = 32


class CrossEncoder:
    """A sentence-transformers CrossEncoder with one score, whose sigmoid is taken.

    Args:
        model: its folder, or a name on the hub; no code in it is run.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        InputError: sentence-transformers is not installed, there is no such model, or it does not give one score.
    """

    def __init__(self, model: str, *, device: str = "auto") -> None:
        try:
            import sentence_transformers
        except ImportError:
            raise InputError(
                "a cross-encoder needs sentence-transformers: pip install 'contrastive-text-learning[rerank]'"
            ) from None
        folder: Path = locate_model(model)
        try:
            self._model = sentence_transformers.CrossEncoder(
                str(folder), device=str(choose_device(device)), trust_remote_code=False
            )
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"cannot be opened as a cross-encoder ({error})", path=folder) from None
        if not any(each.endswith("ForSequenceClassification") for each in _architectures(folder)):
            raise InputError("is no cross-encoder: its head would be a random one", path=folder)
        self._folder = folder
        if self._model.num_labels != 1:
            raise InputError(
                f"gives {self._model.num_labels} scores, a cross-encoder for ranking gives one", path=folder
            )

    def fingerprint(self) -> str:
        """SHA-256 of how it reads passages, and of the names and the content of all files in the model's folder."""
        digest = sha256()
        add_text(digest, PASSAGE_FORMAT)
        for file in sorted(each for each in self._folder.rglob("*") if each.is_file()):
            add_text(digest, file.relative_to(self._folder).as_posix())
            add_text(digest, file_sha256(file))
        return digest.hexdigest()

    def __call__(self, pairs: Sequence[tuple[str, Passage]]) -> NDArray[np.float32]:
        """(N,) scores between 0 and 1 of question and passage."""
        from torch.nn import Sigmoid

        texts, _ = format_passages([passage for _, passage in pairs], PASSAGE_FORMAT)
        inputs = [(question, text) for (question, _), text in zip(pairs, texts, strict=True)]
        scores = self._model.predict(
            inputs, batch_size=BATCH_SIZE, show_progress_bar=False, activation_fn=Sigmoid()
        )
        return np.asarray(scores, np.float32).reshape(len(pairs))


def _architectures(folder: Path) -> list[str]:
    """The classes that a model folder names."""
    config = transformer_folder(folder) / "config.json"
    values = read_json(config) if config.is_file() else {}
    return list((values.get("architectures") or []) if isinstance(values, dict) else [])
