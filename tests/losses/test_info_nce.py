"""The loss against double loops in float64, written from the papers' equations."""

import math

import pytest
import torch
from torch import Tensor

from retriever.losses.embedding_batch import EmbeddingBatch
from retriever.losses.info_nce import exclusion_mask, info_nce, info_nce_objective


def rows(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


def cosine(first: Tensor, second: Tensor) -> float:
    first, second = first.double(), second.double()
    return float(first @ second / (first.norm() * second.norm()))


def dot(first: Tensor, second: Tensor) -> float:
    return float(first.double() @ second.double())


def test_unsupervised_simcse_is_equation_4() -> None:
    anchor, positive, temperature = rows(5, 8), rows(5, 8, seed=1), 0.05
    losses = []
    for i in range(5):
        terms = [math.exp(cosine(anchor[i], positive[j]) / temperature) for j in range(5)]
        losses.append(-math.log(terms[i] / sum(terms)))
    found = info_nce(anchor, positive, temperature=temperature, similarity="cosine")
    assert found.item() == pytest.approx(sum(losses) / 5, rel=1e-5)


@pytest.mark.parametrize("alpha", [1.0, 0.5, 2.0])
def test_supervised_simcse_is_equations_5_and_8(alpha: float) -> None:
    anchor, positive, negative, temperature = rows(4, 8), rows(4, 8, seed=1), rows(4, 1, 8, seed=2), 0.05
    losses = []
    for i in range(4):
        denominator = 0.0
        for j in range(4):
            denominator += math.exp(cosine(anchor[i], positive[j]) / temperature)
            weight = alpha if i == j else 1.0
            denominator += weight * math.exp(cosine(anchor[i], negative[j, 0]) / temperature)
        losses.append(-math.log(math.exp(cosine(anchor[i], positive[i]) / temperature) / denominator))
    found = info_nce(
        anchor, positive, negative, hard_negative_weight=alpha, temperature=temperature, similarity="cosine"
    )
    assert found.item() == pytest.approx(sum(losses) / 4, rel=1e-5)


def test_dpr_is_the_negative_log_likelihood_over_all_passages_of_the_batch() -> None:
    anchor, positive, negative, extra = (
        rows(3, 6),
        rows(3, 6, seed=1),
        rows(3, 2, 6, seed=2),
        rows(4, 6, seed=3),
    )
    passages = [*positive, *negative.reshape(-1, 6), *extra]
    losses = []
    for i in range(3):
        denominator = sum(math.exp(dot(anchor[i], passage)) for passage in passages)
        losses.append(-math.log(math.exp(dot(anchor[i], positive[i])) / denominator))
    found = info_nce(anchor, positive, negative, extra_negative=extra, temperature=1.0, similarity="dot")
    assert found.item() == pytest.approx(sum(losses) / 3, rel=1e-5)


def test_several_hard_negatives_are_all_weighted_for_their_own_anchor_only() -> None:
    anchor, positive, negative = rows(2, 4), rows(2, 4, seed=1), rows(2, 3, 4, seed=2)
    losses = []
    for i in range(2):
        denominator = sum(math.exp(dot(anchor[i], positive[j])) for j in range(2))
        for j in range(2):
            for k in range(3):
                denominator += (0.25 if i == j else 1.0) * math.exp(dot(anchor[i], negative[j, k]))
        losses.append(-math.log(math.exp(dot(anchor[i], positive[i])) / denominator))
    found = info_nce(anchor, positive, negative, hard_negative_weight=0.25, temperature=1.0, similarity="dot")
    assert found.item() == pytest.approx(sum(losses) / 2, rel=1e-5)


def test_an_excluded_candidate_leaves_value_and_gradient_as_if_it_were_not_there() -> None:
    anchor, positive, extra = rows(3, 4).requires_grad_(), rows(3, 4, seed=1), rows(2, 4, seed=2)
    exclude = torch.zeros(3, 5, dtype=torch.bool)
    exclude[:, 4] = True
    with_it = info_nce(
        anchor, positive, extra_negative=extra, exclude=exclude, temperature=0.05, similarity="cosine"
    )
    (gradient,) = torch.autograd.grad(with_it, anchor)
    without = info_nce(anchor, positive, extra_negative=extra[:1], temperature=0.05, similarity="cosine")
    (expected,) = torch.autograd.grad(without, anchor)
    assert with_it.item() == pytest.approx(without.item(), rel=1e-6)
    assert torch.allclose(gradient, expected, atol=1e-6)
    assert torch.isfinite(gradient).all()


def test_copies_of_the_positive_other_positives_and_empty_slots_are_excluded() -> None:
    positive_id = torch.tensor([7, 8, 7])
    known = torch.tensor([[9, -1], [-1, -1], [-1, -1]])
    candidates = torch.tensor([7, 8, 7, 9, -1, 5])
    expected = torch.tensor(
        [
            [False, False, True, True, True, False],  # the copy of 7, its other positive 9, the empty slot
            [False, False, False, False, True, False],
            [True, False, False, False, True, False],
        ]
    )
    assert torch.equal(exclusion_mask(positive_id, known, candidates), expected)


@pytest.mark.parametrize("few", [0, 8])
def test_many_known_positives_are_looked_up_and_few_compared_with_the_same_result(monkeypatch, few) -> None:
    monkeypatch.setattr("retriever.losses.info_nce.FEW", few)
    generator = torch.Generator().manual_seed(0)
    candidates = torch.randint(-1, 12, (30,), generator=generator)  # many copies, some empty slots
    known = torch.randint(-1, 20, (9, 7), generator=generator)
    expected = [
        [
            place != row
            and (int(each) == -1 or int(each) == int(candidates[row]) or int(each) in known[row].tolist())
            for place, each in enumerate(candidates)
        ]
        for row in range(9)
    ]
    assert exclusion_mask(candidates[:9], known, candidates).tolist() == expected


def test_the_objective_masks_by_the_ids_of_the_batch() -> None:
    anchor, positive, negative = rows(2, 4), rows(2, 4, seed=1), rows(2, 2, 4, seed=2)
    extra = rows(4, 4, seed=3)
    batch = EmbeddingBatch(
        anchor=anchor,
        positive=positive,
        positive_id=torch.tensor([1, 2]),
        known_positive_id=torch.tensor([[1, 3], [2, -1]]),
        hard_negative=negative,
        hard_negative_id=torch.tensor([[4, -1], [3, 5]]),
        extra_negative=extra,
        extra_negative_id=torch.tensor(
            [2, 3, 6, -1]
        ),  # of another process: a copy, a known positive, a stranger
    )
    kept = {0: [positive[0], positive[1], negative[0, 0], negative[1, 1]], 1: [positive[1], positive[0]]}
    kept[0] += [extra[0], extra[2]]
    kept[1] += [negative[0, 0], negative[1, 0], negative[1, 1], extra[1], extra[2]]
    losses = []
    for i, candidates in kept.items():
        denominator = sum(math.exp(dot(anchor[i], each)) for each in candidates)
        losses.append(-math.log(math.exp(dot(anchor[i], positive[i])) / denominator))
    found = info_nce_objective(temperature=1.0, similarity="dot")(batch)
    assert found.item() == pytest.approx(sum(losses) / 2, rel=1e-5)


def test_the_loss_is_fp32_for_bf16_embeddings() -> None:
    found = info_nce(rows(2, 4).bfloat16(), rows(2, 4).bfloat16(), temperature=0.05, similarity="cosine")
    assert found.dtype == torch.float32


def test_shapes_that_do_not_fit_are_refused_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"anchors \(2, 4\) and positives \(3, 4\) differ in shape"):
        info_nce(rows(2, 4), rows(3, 4), temperature=1.0, similarity="dot")
    with pytest.raises(ValueError, match=r"exclusion mask \(2, 3\) for scores \(2, 2\)"):
        info_nce(
            rows(2, 4),
            rows(2, 4),
            exclude=torch.zeros(2, 3, dtype=torch.bool),
            temperature=1.0,
            similarity="dot",
        )


@pytest.mark.parametrize("block", [1, 30, 50])
def test_rows_at_a_time_give_the_same_loss_and_gradient(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    made = [rows(7, 6), rows(7, 6, seed=1), rows(7, 2, 6, seed=2)]
    exclude = torch.zeros(7, 21, dtype=torch.bool)
    exclude[2, 9] = exclude[6, 0] = True
    found = {}
    for limit in (2**22, block):
        monkeypatch.setattr("retriever.losses.info_nce.BLOCK", limit)
        inputs = [each.clone().requires_grad_() for each in made]
        loss = info_nce(
            *inputs, exclude=exclude, hard_negative_weight=0.5, temperature=0.1, similarity="cosine"
        )
        loss.backward()
        found[limit] = [loss.detach(), *(each.grad for each in inputs)]
    for whole, blocks in zip(found[2**22], found[block], strict=True):
        assert torch.allclose(whole, blocks, atol=1e-6)
