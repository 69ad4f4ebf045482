import logging
from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest
from scipy import stats

from retriever.choices import StsSimilarity
from retriever.errors import InputError
from retriever.evaluation.sts import (
    CORRELATIONS,
    PAIRED_SIMILARITIES,
    evaluate_sts,
    score_sts,
    seven_task_average,
    task_of_seven,
)
from retriever.evaluation.suite import EncodeOnce
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
    forum_r, news_r = (100 * stats.pearsonr(golds[name], cosines[name])[0] for name in ("forum", "news"))
    assert scores["pearson_mean"] == pytest.approx((forum_r + news_r) / 2)
    assert scores["pearson_wmean"] == pytest.approx((5 * forum_r + 3 * news_r) / 8)
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


def test_similarities_that_are_all_equal_have_no_correlation_and_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scores = evaluate_sts(lambda texts: np.ones((len(texts), 2), dtype=np.float32), TASK)
    assert np.isnan([scores[name] for name in CORRELATIONS]).all()
    assert (
        caplog.messages[0] == "STS-X, subset forum: all similarities are 1, so their correlation is undefined"
    )


@pytest.mark.parametrize(
    ("subsets", "message"),
    [
        ({}, "STS task 't' has no sentence pairs"),
        ({"news": []}, "STS task 't' has 0 pairs: a correlation needs at least 3"),
        (
            {**TASK.subsets, "few": pairs_of([(0, 1, 2.0), (2, 3, 1.0)])},
            "subset 'few' of STS task 't' has 2 pairs: a correlation needs at least 3",
        ),
        (
            {"flat": pairs_of([(0, 1, 2.5), (2, 3, 2.5), (4, 5, 2.5)])},
            "STS task 't': all gold scores are 2.5, so a correlation is undefined",
        ),
        (
            {**TASK.subsets, "flat": pairs_of([(0, 1, 2), (2, 3, 2), (4, 5, 2)])},
            "subset 'flat' of STS task 't': all gold scores are 2, so a correlation is undefined",
        ),
    ],
)
def test_a_task_without_correlations_is_refused(subsets: dict[str, list[SentencePair]], message: str) -> None:
    with pytest.raises(InputError) as error:
        evaluate_sts(encode, StsTask("t", subsets))
    assert str(error.value) == message


def test_distances_are_turned_so_that_near_is_similar() -> None:
    vectors = {"o": [0.0, 0.0], "a": [1.0, 1.0], "b": [1.9, 0.0], "c": [3.0, 0.0]}
    task = StsTask("t", {"one": [SentencePair("o", name, 5.0 - row) for row, name in enumerate("abc")]})

    def fixed(texts: Sequence[str]) -> np.ndarray:
        return np.array([vectors[text] for text in texts], dtype=np.float32)

    assert score_sts(fixed, task, similarity="euclidean").predicted == pytest.approx([-(2**0.5), -1.9, -3])
    assert score_sts(fixed, task, similarity="manhattan").predicted == pytest.approx([-2, -1.9, -3])


def test_items_name_the_pairs_by_subset_and_number() -> None:
    items = list(score_sts(encode, TASK).items())
    assert [each["id"] for each in items] == [
        *(f"forum:{n}" for n in range(1, 6)),
        *(f"news:{n}" for n in (1, 2, 3)),
    ]
    assert items[5]["predicted"] == pytest.approx(cosine_of(TASK.subsets["news"][0]))
    assert (items[5]["gold"], items[5]["text"]) == (4.0, "sentence 10 | sentence 11")


def test_a_suite_encodes_each_distinct_text_once() -> None:
    passed: list[str] = []

    def counting(texts: Sequence[str]) -> np.ndarray:
        passed.extend(texts)
        return encode(texts)

    once = EncodeOnce(counting)
    other = StsTask("Y", {"y": pairs_of([(0, 11, 1.0), (20, 3, 2.0), (21, 22, 3.0)])})
    for task in (TASK, other, TASK):
        assert evaluate_sts(once, task) == evaluate_sts(encode, task)
    distinct = {text for task in (TASK, other) for pairs in task.subsets.values() for pair in pairs
                for text in (pair.first, pair.second)}  # fmt: skip
    assert sorted(passed) == sorted(distinct)


@pytest.mark.parametrize(
    ("name", "task"),
    [("STS12-en-test", "STS12"), ("sts16", "STS16"), ("mteb-sts13", "STS13"), ("STSBenchmark", "STS-B"),
     ("stsb", "STS-B"), ("sts-b", "STS-B"), ("SICK", "SICK-R"), ("sickr", "SICK-R"), ("SICK-E", None), ("STS17", None),
     ("mysts12", None)],
)  # fmt: skip
def test_the_seven_tasks_go_by_many_names(name: str, task: str | None) -> None:
    assert task_of_seven(name) == task


def test_the_average_is_over_all_seven_or_not_at_all() -> None:
    names = ["sts12", "STS13-en-test", "STS14", "STS15", "STS16", "STSBenchmark", "SICK"]
    tasks = {name: dict.fromkeys(CORRELATIONS, float(row)) for row, name in enumerate(names)}
    assert seven_task_average({**tasks, "mine": {}}) == dict.fromkeys(CORRELATIONS, 3.0)
    assert seven_task_average({name: tasks[name] for name in names[1:]}) is None
    assert seven_task_average({**tasks, "mteb-sts12": tasks["sts12"]}) is None


def test_an_encoder_that_loses_a_sentence_is_a_bug() -> None:
    with pytest.raises(ValueError, match=r"encode gave shape \(12, 4\) for 13 sentences"):
        evaluate_sts(lambda texts: encode(texts)[1:], TASK)


def test_every_similarity_is_there() -> None:
    assert set(PAIRED_SIMILARITIES) == set(get_args(StsSimilarity))


def test_similarities_that_differ_by_rounding_alone_have_no_correlation(caplog):
    """A pair of equal sentences is not exactly 1, and those roundings would correlate with something."""
    generator = np.random.default_rng(0)
    table = {f"s{row}": generator.normal(size=8).astype(np.float32) for row in range(9)}
    pairs = [SentencePair(text, text, float(row)) for row, text in enumerate(table)]

    def encode(texts):
        return np.stack([table[text] for text in texts])

    metrics = evaluate_sts(encode, StsTask("same", {"same": pairs}))
    assert np.isnan(metrics["spearman_all"]) and np.isnan(metrics["pearson_all"])
    assert caplog.messages == ["same: all similarities are 1, so their correlation is undefined"]
