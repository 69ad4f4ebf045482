from typing import get_args

import pytest
import torch

from retriever.choices import PoolingMode
from retriever.encoding.model_folder import LAYERS_AVERAGED
from retriever.encoding.pooling import needs_all_layers, pool


@pytest.mark.parametrize("mode", get_args(PoolingMode))
def test_pooling_equals_a_loop_over_texts(mode: PoolingMode) -> None:
    states = [torch.randn(9, 4) for _ in range(5)]  # embedding layer and four layers
    offsets = torch.tensor([0, 2, 3, 9])
    found = pool(states, offsets, mode)
    layers = {"cls": [4], "mean": [4], "first_last_mean": [1, 4], "top2_mean": [3, 4]}[mode]
    for text, (start, stop) in enumerate([(0, 2), (2, 3), (3, 9)]):
        rows = range(start, start + 1) if mode == "cls" else range(start, stop)
        expected = sum(states[layer][row] for layer in layers for row in rows) / (len(layers) * len(rows))
        assert torch.allclose(found[text], expected, atol=1e-6)


def test_every_pooling_that_reads_more_layers_is_exported_as_a_layer_mean() -> None:
    assert {mode for mode in get_args(PoolingMode) if needs_all_layers(mode)} == set(LAYERS_AVERAGED)


def test_pooling_of_bf16_states_is_fp32() -> None:
    assert pool([torch.randn(3, 2).bfloat16()], torch.tensor([0, 3]), "mean").dtype == torch.float32
