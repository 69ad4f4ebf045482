from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.evaluation.bootstrap import mean_intervals
from retriever.evaluation.slices import (
    MEANINGS,
    UNKNOWN,
    Group,
    Slice,
    by_label,
    by_quantile,
    clearest,
    contrast_group,
    score_group,
    slices_of,
)
from retriever.records import Passage


def groups(found: Slice) -> dict[str, list[int]]:
    return {each.label: each.rows.tolist() for each in found.groups}


def test_quartiles_of_different_values() -> None:
    found = by_quantile("x", [8, 1, 7, 2, 6, 3, 5, 4], 4, 1)
    assert groups(found) == {"1–2": [1, 3], "3–4": [5, 7], "5–6": [4, 6], "7–8": [0, 2]}
    assert [(each.low, each.high) for each in found.groups] == [(1, 2), (3, 4), (5, 6), (7, 8)]
    assert found.merged == 0


def test_equal_values_stay_together_and_bins_without_values_vanish() -> None:
    assert groups(by_quantile("x", [3] * 6 + [9], 4, 1)) == {"3": [0, 1, 2, 3, 4, 5], "9": [6]}
    assert groups(by_quantile("x", [3] * 5, 4, 1)) == {"3": [0, 1, 2, 3, 4]}


def test_a_small_bin_is_joined_to_its_smaller_neighbour() -> None:
    values = [1] * 6 + [2] * 2 + [3] * 4
    assert groups(by_quantile("x", values, 12, 1)) == {
        "1": list(range(6)), "2": [6, 7], "3": [8, 9, 10, 11]
    }  # fmt: skip
    found = by_quantile("x", values, 12, 3)
    assert groups(found) == {"1": list(range(6)), "2–3": [6, 7, 8, 9, 10, 11]}
    assert found.merged == 1
    assert groups(by_quantile("x", values, 12, 13)) == {"1–3": list(range(12))}


def test_shares_have_two_decimals_and_what_has_no_value_is_a_group() -> None:
    found = by_quantile("x", [None, 1 / 3, 1.0, None], 2, 1)
    assert groups(found) == {"0.33": [1], "1.00": [2], UNKNOWN: [0, 3]}
    assert groups(by_quantile("x", [None, None], 4, 30)) == {UNKNOWN: [0, 1]}


@given(
    st.lists(st.none() | st.integers(0, 12).map(float), min_size=1, max_size=80),
    st.integers(1, 6),
    st.integers(1, 20),
)
def test_bins_part_the_questions_in_the_order_of_their_values(
    values: list[float | None], bins: int, least: int
) -> None:
    found = by_quantile("x", values, bins, least)
    rows = [row for each in found.groups for row in each.rows.tolist()]
    assert sorted(rows) == list(range(len(values)))
    numbers = [each for each in found.groups if each.label != UNKNOWN]
    assert len(numbers) <= bins
    for each in numbers:
        own = [values[row] for row in each.rows]
        assert None not in own
        assert (each.low, each.high) == (min(own), max(own))  # type: ignore[type-var]
    for below, above in pairwise(numbers):
        assert below.high is not None and above.low is not None
        assert below.high < above.low
    assert len(numbers) == 1 or all(len(each.rows) >= least for each in numbers)


@given(st.lists(st.none() | st.sampled_from("abcde"), min_size=1, max_size=60), st.integers(1, 15))
def test_labels_part_the_questions_and_rare_ones_are_together(labels: list[str | None], least: int) -> None:
    found = by_label("x", labels, least)
    rows = [row for each in found.groups for row in each.rows.tolist()]
    assert sorted(rows) == list(range(len(labels)))
    counts = Counter(each for each in labels if each is not None)
    rare = {label for label, count in counts.items() if count < least}
    assert found.merged == len(rare)
    expected = {
        label: [row for row, each in enumerate(labels) if each == label] for label in set(counts) - rare
    }
    if rare:
        expected[f"others ({len(rare)})"] = [row for row, each in enumerate(labels) if each in rare]
    if None in labels:
        expected[UNKNOWN] = [row for row, each in enumerate(labels) if each is None]
    assert groups(found) == expected


def test_the_most_frequent_label_is_first() -> None:
    labels = ["who", "what", "what", "why", "how", "how", "how"]
    assert list(groups(by_label("x", labels, 2))) == ["how", "what", "others (2)"]


GOLD = Passage("1", "The cats sat on the old mat of the king.", "Royal cats")


def test_slices_by_hand() -> None:
    questions = ["Where did the cats sit?", "Where is the king's mat?", "???", "Who was it?"]
    cut = [True, False, None, True]
    found = {each.name: groups(each) for each in slices_of(questions, [GOLD, GOLD, None, GOLD], cut, least=1)}
    assert list(found) == list(MEANINGS)
    assert found["all"] == {"": [0, 1, 2, 3]}
    assert found["question_words"] == {"0": [2], "3": [3], "5": [0, 1]}
    assert found["first_word"] == {"where": [0, 1], "who": [3], UNKNOWN: [2]}
    # cats of (where, did, cats, sit); king and mat of (where, king, mat); none of (who, was): of (who)
    assert found["overlap"] == {"0.00": [3], "0.25": [0], "0.67": [1], UNKNOWN: [2]}
    assert found["passage_words"] == {"10": [0, 1, 3], UNKNOWN: [2]}
    assert found["passage_cut"] == {"cut": [0, 3], "whole": [1], UNKNOWN: [2]}


def test_first_words_of_less_than_a_hundredth_of_the_questions_are_merged() -> None:
    questions = ["who"] * 294 + ["why"] * 4 + ["what"] * 2
    first = slices_of(questions, [None] * 300, least=1)[2]
    assert [(each.label, len(each.rows)) for each in first.groups] == [
        ("who", 294),
        ("why", 4),
        ("others (1)", 2),
    ]


def test_the_title_counts_for_overlap_alone() -> None:
    found = {each.name: groups(each) for each in slices_of(["royal king"], [GOLD], least=1)}
    assert found["overlap"] == {"1.00": [0]}
    assert found["passage_words"] == {"10": [0]}
    assert "passage_cut" not in found


def test_words_of_languages_without_spaces_are_letters() -> None:
    found = {each.name: groups(each) for each in slices_of(["谁是国王"], [Passage("1", "国王")], least=1)}
    assert found["first_word"] == {"谁": [0]}
    assert found["overlap"] == {"0.50": [0]}


def test_a_gold_passage_is_needed_for_each_question() -> None:
    with pytest.raises(ValueError, match="1 gold passages for 2 questions"):
        slices_of(["a", "b"], [GOLD])


def test_a_group_is_scored_on_its_own_questions() -> None:
    group = Group("some", np.array([1, 3, 4]))
    values = {"a": np.array([9.0, 1, 9, 0, 1]), "b": np.array([9.0, 0.5, 9, 0.25, 0])}
    found = score_group(group, values)
    assert found["a"][0] == pytest.approx(2 / 3)
    assert found["b"][0] == pytest.approx(0.25)
    low, high = mean_intervals(np.array([[1, 0.5], [0, 0.25], [1, 0]]))
    assert [found["a"][1:], found["b"][1:]] == [(low[0], high[0]), (low[1], high[1])]


def test_a_contrast_counts_who_answers_what() -> None:
    first, second = np.array([[1, 1, 1, 0, 0, 0, 1], [1, 0, 0, 1, 0, 0, 1]], dtype=np.float64)
    found = contrast_group(Group("x", np.arange(6)), first, second)
    assert (found.both, found.first_only, found.second_only, found.neither) == (1, 2, 1, 2)
    assert found.difference[0] == pytest.approx(1 / 6)
    assert found.difference[1] < 1 / 6 < found.difference[2]


def test_the_clearest_examples_are_ranked_highest_and_missed_by_the_other() -> None:
    finds, misses = np.array([[1, 1, 1, 0, 1], [0, 1, 0, 0, 0]], dtype=np.float64)
    rank = np.array([0.2, 1, 0.5, 0, 0.25])
    assert clearest(finds, misses, rank, 5) == [2, 4, 0]
    assert clearest(finds, misses, rank, 1) == [2]
    assert clearest(misses, finds, rank, 5) == []
