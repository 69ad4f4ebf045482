"""In which precision a step multiplies; steps themselves are tested where they are resumed, chunked and shared out."""

import torch
from torch import Tensor

from retriever.encoding.encoder import Encoder
from retriever.encoding.tokens import Tokens
from retriever.losses import similarity
from retriever.training import step
from retriever.training.simcse import train_simcse
from tests.training.conftest import config_of


def test_tf32_is_on_in_the_encoder_while_it_trains_and_nowhere_else(
    train,
    dev,
    plain_folder,
    tmp_path,
    monkeypatch,
) -> None:
    """On a CPU taken for a GPU: what is looked at is the setting, which no product here obeys."""
    seen: dict[str, set[str]] = {"training": set(), "evaluation": set(), "scores": set()}
    forward = Encoder.forward

    def watched(encoder: Encoder, tokens: Tokens) -> Tensor:
        seen["training" if encoder.training else "evaluation"].add(torch.get_float32_matmul_precision())
        return forward(encoder, tokens)

    def prepare(rows: Tensor) -> Tensor:
        seen["scores"].add(torch.get_float32_matmul_precision())
        return torch.nn.functional.normalize(rows, dim=-1)

    monkeypatch.setattr(step, "TF32_DEVICES", ("cpu",))
    monkeypatch.setattr(Encoder, "forward", watched)
    monkeypatch.setitem(similarity.PREPARE, "cosine", prepare)
    train_simcse(config_of(train, tmp_path / "run", plain_folder, dev=dev, max_steps=3))
    assert seen == {"training": {"high"}, "evaluation": {"highest"}, "scores": {"highest"}}
