"""Which passages a model reads only the beginning of."""

from collections.abc import Sequence

from retriever.encoding.dual_encoder import DualEncoder
from retriever.records import Passage

WINDOW = 1024
"""Passages that are tokenized together."""


def are_cut(model: DualEncoder, passages: Sequence[Passage]) -> list[bool]:
    """Whether each passage, with its title, is longer than the model's maximum length."""
    cut: list[bool] = []
    for start in range(0, len(passages), WINDOW):
        window = passages[start : start + WINDOW]
        tokens = model.tokenize_passages(window)
        full = (tokens.lengths >= model.passage.settings.max_length).tolist()
        if tokens.num_truncated != sum(
            full
        ):  # some fill the length and end there: only asking one by one tells
            full = [
                is_full and model.tokenize_passages([each]).num_truncated > 0
                for is_full, each in zip(full, window, strict=True)
            ]
        cut += full
    return cut
