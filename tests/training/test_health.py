import logging
import math

import numpy as np
import pytest
import torch

from retriever.evaluation.geometry import alignment, uniformity
from retriever.losses.embedding_batch import EmbeddingBatch
from retriever.training.health import Warnings, embedding_health

HEALTHY = {"mean_cosine": 0.1, "uniformity": -3.0, "duplicate_positives": 0.0}


def batch_of(
    anchor: torch.Tensor, positive: torch.Tensor, ids: list[int] | None = None, **more
) -> EmbeddingBatch:
    size = len(anchor)
    return EmbeddingBatch(
        anchor=anchor,
        positive=positive,
        positive_id=torch.tensor(ids or list(range(size))),
        known_positive_id=torch.full((size, 1), -1),
        **more,
    )


def test_the_numbers_are_those_of_the_evaluation() -> None:
    generator = torch.Generator().manual_seed(0)
    anchor, positive = (torch.randn(9, 5, generator=generator) * 3 for _ in range(2))
    found = {
        name: float(each) for name, each in embedding_health(batch_of(anchor, positive), "cosine").items()
    }
    assert found["alignment"] == pytest.approx(alignment(anchor.numpy(), positive.numpy()), abs=1e-5)
    assert found["uniformity"] == pytest.approx(uniformity(anchor.numpy()), abs=1e-5)
    unit = (anchor / anchor.norm(dim=1, keepdim=True)).numpy()
    cosines = [float(unit[i] @ unit[j]) for i in range(9) for j in range(9) if i != j]
    assert found["mean_cosine"] == pytest.approx(np.mean(cosines), abs=1e-5)
    assert found["embedding_std"] == pytest.approx(unit.std(0, ddof=1).mean(), abs=1e-5)


def test_accuracy_counts_by_hand_and_a_tie_is_no_hit() -> None:
    anchor = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.2], [1.0, 1.0]])
    positive = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.1, 0.1]])
    found = embedding_health(batch_of(anchor, positive), "dot")
    # the first two hit; the third finds the first's positive; the fourth's has a smaller inner product than others
    assert float(found["in_batch_accuracy"]) == 0.25  # the second ties with the third's equal passage
    same = embedding_health(batch_of(anchor, positive, ids=[0, 1, 1, 3]), "dot")
    assert float(same["in_batch_accuracy"]) == 0.5  # known to be the same passage: no tie
    assert float(same["duplicate_positives"]) == 0.5
    others = torch.tensor([[0.0, 9.0]])
    far = batch_of(anchor, positive, extra_negative=others, extra_negative_id=torch.tensor([1]))
    assert (
        float(embedding_health(far, "dot")["in_batch_accuracy"]) == 0.25
    )  # of another process: the second's own passage
    assert float(embedding_health(far, "dot")["duplicate_positives"]) == 0.25
    hard = torch.tensor([[2.0, 0.0]]).expand(4, 1, 2)
    ids = torch.tensor([[7], [-1], [-1], [-1]])
    beaten = embedding_health(batch_of(anchor, positive, hard_negative=hard, hard_negative_id=ids), "dot")
    assert float(beaten["in_batch_accuracy"]) == 0.0


def test_of_a_large_batch_the_first_anchors_are_looked_at_against_all_candidates(monkeypatch) -> None:
    generator = torch.Generator().manual_seed(1)
    anchor, positive = (torch.randn(9, 5, generator=generator) for _ in range(2))
    whole = embedding_health(batch_of(anchor, positive), "cosine")
    monkeypatch.setattr("retriever.training.health.SAMPLE", 4)
    found = embedding_health(batch_of(anchor, positive), "cosine")
    first = embedding_health(batch_of(anchor[:4], positive[:4]), "cosine")
    for name in ("alignment", "uniformity", "mean_cosine", "embedding_std"):
        assert found[name] == first[name] != whole[name]
    scores = torch.nn.functional.normalize(anchor[:4]) @ torch.nn.functional.normalize(positive).T
    assert float(found["in_batch_accuracy"]) == (scores.argmax(1) == torch.arange(4)).float().mean()


def test_a_healthy_run_is_not_warned(caplog) -> None:
    warnings = Warnings()
    for step in range(10, 1000, 10):
        warnings.check(step, HEALTHY, zero_loss=False)
    assert not caplog.messages


@pytest.mark.parametrize(
    ("metrics", "zero_loss", "message"),
    [
        (
            {},
            True,
            "the loss is exactly 0: there is nothing to learn in these batches; harder negatives help",
        ),
        (
            {"mean_cosine": 0.995},
            False,
            "the embeddings have collapsed to one point (mean cosine 0.995): lower --learning-rate, "
            "raise --batch-size, or start from another model",
        ),
        (
            {"uniformity": -1.0},
            False,
            "uniformity got worse, from -3.00 to -1.00: a lower --learning-rate or --temperature spreads the embeddings",
        ),
        (
            {"duplicate_positives": 0.25},
            False,
            "25% of the positives occur more than once in a batch, so that many anchors have fewer negatives than the batch "
            "size says: the training data repeat them, or name them as negatives of others",
        ),
    ],
    ids=["zero loss", "collapse", "uniformity", "duplicates"],
)
def test_what_is_wrong_is_said_once_with_a_remedy(caplog, metrics, zero_loss, message) -> None:
    warnings = Warnings()
    warnings.check(10, HEALTHY, zero_loss=False)
    with caplog.at_level(logging.WARNING):
        for step in (120, 130, 140):
            warnings.check(step, {**HEALTHY, **metrics}, zero_loss=zero_loss)
    assert caplog.messages == [f"step 120: {message}"]


def test_a_model_that_starts_in_one_point_is_given_time(caplog) -> None:
    warnings = Warnings()
    for step in (10, 50, 90):
        warnings.check(step, {**HEALTHY, "mean_cosine": 0.999}, zero_loss=False)
    assert not caplog.messages


def test_collapsed_embeddings_have_the_numbers_that_the_warning_looks_for() -> None:
    same = torch.ones(6, 4) + 1e-4 * torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    found = embedding_health(batch_of(same, same), "cosine")
    assert float(found["mean_cosine"]) > 0.99
    assert float(found["embedding_std"]) < 0.1 / math.sqrt(4)
