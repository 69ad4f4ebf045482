"""The encoder that training starts from."""

import logging
from dataclasses import replace

from torch import nn

from retriever.choices import HeadMode, PoolingMode, Similarity
from retriever.config import EncoderConfig
from retriever.encoding.encoder import Encoder
from retriever.encoding.locate import locate_model
from retriever.encoding.model_folder import EncoderSettings, read_settings

logger = logging.getLogger(__name__)


def load_for_training(
    config: EncoderConfig,
    *,
    plain_pooling: PoolingMode,
    plain_similarity: Similarity,
    max_length: int | None = None,
) -> tuple[Encoder, EncoderSettings | None]:
    """The encoder, and what its folder declared (None: a plain Hugging Face folder, for which the defaults here hold).

    Args:
        config: model, pooling, device and precision.
        plain_pooling: pooling of a plain folder when the user names none.
        plain_similarity: similarity of a plain folder.
        max_length: instead of what the folder declares.
    """
    declared = read_settings(locate_model(config.model))
    pooling = config.pooling
    if declared is None and pooling is None:
        pooling = plain_pooling
        logger.info("%s declares no pooling: training with %s", config.model, pooling)
    encoder = Encoder.load(
        config.model,
        pooling=pooling,
        max_length=max_length,
        device=config.device,
        precision=config.precision,
    )
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
