import logging
from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest
from scipy import stats

from retriever.choices import Similarity
from retriever.errors import InputError
from retriever.evaluation.sts import PAIRED_SIMILARITIES, evaluate_sts
from retriever.records import SentencePair, StsTask

generator = np.random.default_rng(0)
VECTORS = {f"sentence {row}": generator.normal(size=4).astype(np.float32) for row in range(30)}


def encode(texts: Sequence[str]) -> np.ndarray:
    return np.stack([VECTORS[text] for text in texts])


def pairs_of(rows: Sequence[tuple[int, int, float]]) -> list[SentencePair]:
    return [SentencePair(f"sentence {first}", f"sentence {second}", score) for first, second, score in rows]


TASK = StsTask(
    "STS-X",
    {
        "forum": pairs_of([(0, 1, 5.0), (2, 3, 1.0), (4, 5, 3.0), (6, 0, 2.5), (1, 2, 2.5)]),
        "news": pairs_of([(10, 11, 4.0), (12, 13, 0.0), (14, 15, 2.0)]),
    },
)


def cosine_of(pair: SentencePair) -> float:
    first, second = VECTORS[pair.first].astype(float), VECTORS[pair.second].astype(float)
    return sum(first * second) / (sum(first**2) ** 0.5 * sum(second**2) ** 0.5)


def test_all_mean_and_weighted_mean_as_sentevals() -> None:
    golds = {name: [pair.score for pair in pairs] for name, pairs in TASK.subsets.items()}
    cosines = {name: [cosine_of(pair) for pair in pairs] for name, pairs in TASK.subsets.items()}
    forum, news = (100 * stats.spearmanr(golds[name], cosines[name])[0] for name in ("forum", "news"))
    gold, cosine = golds["forum"] + golds["news"], cosines["forum"] + cosines["news"]
    scores = evaluate_sts(encode, TASK)
    assert scores["spearman_all"] == pytest.approx(100 * stats.spearmanr(gold, cosine)[0])
    assert scores["pearson_all"] == pytest.approx(100 * stats.pearsonr(gold, cosine)[0])
    assert scores["spearman_mean"] == pytest.approx((forum + news) / 2)
    assert scores["spearman_wmean"] == pytest.approx((5 * forum + 3 * news) / 8)
    assert scores["spearman_all_low"] < scores["spearman_all"] < scores["spearman_all_high"]
    assert (scores["pairs"], scores["nan_similarities"]) == (8, 0)


def test_similarities_that_are_the_gold_scores_give_100() -> None:
    angles = {"x": 0.0, "a": 0.1, "b": 0.9, "c": 2.0, "d": 3.0}
    task = StsTask(
        "t", {"one": [SentencePair("x", name, np.cos(angle)) for name, angle in angles.items() if angle]}
    )

    def encode_angles(texts: Sequence[str]) -> np.ndarray:
        return np.array([[7 * np.cos(angles[text]), 7 * np.sin(angles[text])] for text in texts])  # length 7

    scores = evaluate_sts(encode_angles, task)
    assert scores["spearman_all"] == pytest.approx(100)
    assert scores["pearson_all"] == pytest.approx(100)


def test_each_sentence_is_encoded_once() -> None:
    calls: list[list[str]] = []

    def counting(texts: Sequence[str]) -> np.ndarray:
        calls.append(list(texts))
        return encode(texts)

    evaluate_sts(counting, TASK)
    assert len(calls) == 1
    assert len(calls[0]) == len(set(calls[0])) == 13


def test_dot_product_counts_the_length_of_embeddings() -> None:
    lengths = {"short": 1.0, "middle": 2.0, "long": 3.0}
    task = StsTask("t", {"one": [SentencePair("short", name, length) for name, length in lengths.items()]})

    def same_direction(texts: Sequence[str]) -> np.ndarray:
        return np.array([[lengths[text], 0.0] for text in texts], dtype=np.float32)

    assert evaluate_sts(same_direction, task, similarity="dot")["spearman_all"] == pytest.approx(100)
    assert np.isnan(evaluate_sts(same_direction, task)["spearman_all"])  # every cosine is 1


def test_similarities_that_are_not_a_number_count_as_0_and_are_told(caplog: pytest.LogCaptureFixture) -> None:
    vectors = {
        "u": [1.0, 0.0],
        "near": [1.0, 0.1],
        "far": [-1.0, 0.2],
        "zero": [0.0, 0.0],
        "nan": [np.nan, 1.0],
    }
    task = StsTask("t", {"one": [SentencePair("u", name, score) for name, score in
                                 [("near", 5.0), ("zero", 3.0), ("nan", 3.0), ("far", 0.0)]]})  # fmt: skip
    with caplog.at_level(logging.WARNING):
        scores = evaluate_sts(
            lambda texts: np.array([vectors[text] for text in texts], dtype=np.float32), task
        )
    assert scores["spearman_all"] == pytest.approx(100)  # cosines near 1, 0, 0, near -1
    assert scores["nan_similarities"] == 2
    assert caplog.messages == ["t: 2 of 4 similarities are not a number; counted as 0"]


def test_a_subset_of_equal_scores_gives_nan_means_and_a_number_for_all() -> None:
    task = StsTask("t", {"flat": pairs_of([(0, 1, 2.0), (2, 3, 2.0)]), "news": TASK.subsets["news"]})
    scores = evaluate_sts(encode, task)
    assert np.isnan([scores["spearman_mean"], scores["spearman_wmean"]]).all()
    assert np.isfinite(scores["spearman_all"])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (StsTask("t", {}), "STS task 't' has no sentence pairs"),
        (StsTask("t", {"news": []}), "subset 'news' of STS task 't' has no sentence pairs"),
    ],
)
def test_a_task_without_pairs_is_refused(task: StsTask, message: str) -> None:
    with pytest.raises(InputError) as error:
        evaluate_sts(encode, task)
    assert str(error.value) == message


def test_an_encoder_that_loses_a_sentence_is_a_bug() -> None:
    with pytest.raises(ValueError, match=r"encode gave shape \(12, 4\) for 13 sentences"):
        evaluate_sts(lambda texts: encode(texts)[1:], TASK)


def test_every_similarity_is_there() -> None:
    assert set(PAIRED_SIMILARITIES) == set(get_args(Similarity))
