"""The tiny encoder with settings of a test's choice, and examples to train it on."""

import random
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from retriever.encoding.encoder import Encoder
from retriever.encoding.model_folder import EncoderSettings
from retriever.records import SimcseExample


def tiny_encoder(plain_folder: Path, settings: EncoderSettings, *, dropout: float | None = None) -> Encoder:
    """The tiny transformer with settings, and a probability of dropout, of the test's choice."""
    loaded = Encoder.load(plain_folder, pooling=settings.pooling, device="cpu", precision="fp32")
    if dropout is not None:
        set_dropout(loaded, dropout)
    return Encoder(loaded.transformer, loaded.tokenizer, settings, name="tiny")


def set_dropout(module: nn.Module, probability: float) -> None:
    """Set every dropout layer; attention asks its own for the probability."""
    for each in module.modules():
        if isinstance(each, nn.Dropout):
            each.p = probability


def triplets(words: Sequence[str], count: int, *, views: int = 3) -> list[SimcseExample]:
    """Random sentences of one to six words: alone, as pairs, or as triplets with two hard negatives."""
    generator = random.Random(0)
    texts = [" ".join(generator.choices(words, k=generator.randint(1, 6))) for _ in range(4 * count)]
    examples = []
    for anchor, positive, *hard in zip(*[iter(texts)] * 4, strict=True):
        examples.append(
            SimcseExample(
                anchor, positive if views > 1 else None, tuple(dict.fromkeys(hard)) if views > 2 else ()
            )
        )
    return examples
