"""The tiny encoder with settings of a test's choice."""

from pathlib import Path

from retriever.encoding.encoder import Encoder
from retriever.encoding.model_folder import EncoderSettings


def tiny_encoder(plain_folder: Path, settings: EncoderSettings) -> Encoder:
    """The tiny transformer with settings of the test's choice."""
    loaded = Encoder.load(plain_folder, pooling=settings.pooling, device="cpu", precision="fp32")
    return Encoder(loaded.transformer, loaded.tokenizer, settings, name="tiny")
