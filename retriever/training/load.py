"""The encoder that training starts from."""

import logging
from dataclasses import replace

from torch import nn

from retriever.choices import HeadMode, PoolingRequest, Precision, Similarity
from retriever.encoding.checkpoints import SIMCSE_MLP, find_mlp
from retriever.encoding.encoder import Encoder
from retriever.encoding.locate import locate_model
from retriever.encoding.model_folder import EncoderSettings, read_settings

logger = logging.getLogger(__name__)


def load_for_training(
    model: str,
    *,
    pooling: PoolingRequest | None,
    plain_similarity: Similarity,
    max_length: int | None = None,
    device: str,
    precision: Precision,
) -> tuple[Encoder, EncoderSettings | None]:
    """The encoder, and what its folder declared (None: a plain Hugging Face folder, for which the defaults here hold).

    Args:
        model: as for ``Encoder.load``.
        pooling: what the user asked for; of a plain folder without it: cls, as both papers do.
        plain_similarity: similarity of a plain folder.
        max_length: instead of what the folder declares.
        device: as for ``Encoder.load``.
        precision: as for ``Encoder.load``.
    """
    folder = locate_model(model)
    declared = read_settings(folder)
    # a SimCSE checkpoint does not say whether its MLP counts: loading it without a pooling is an error
    if declared is None and pooling is None and find_mlp(folder) != SIMCSE_MLP:
        pooling = "cls"
        logger.info("%s declares no pooling: training with cls", model)
    encoder = Encoder.load(model, pooling=pooling, max_length=max_length, device=device, precision=precision)
    if declared is None:
        encoder.settings = replace(encoder.settings, similarity=plain_similarity)
    return encoder, declared


def add_head(encoder: Encoder, mode: HeadMode) -> None:
    """Give the encoder SimCSE's MLP head, randomly initialised: linear, same width, then tanh."""
    if mode == "none":
        return
    width = encoder.dimension
    encoder.head = nn.Linear(width, width).to(encoder.device)
    nn.init.normal_(encoder.head.weight, std=0.02)
    nn.init.zeros_(encoder.head.bias)
    encoder.settings = replace(
        encoder.settings,
        head_activation="torch.nn.modules.activation.Tanh",
        head_train_only=mode == "train_only",
    )
