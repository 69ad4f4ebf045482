from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.inspection.pairs import Pairs, repeats


def pairs_of(rows):
    pairs = Pairs()
    for anchor, positives, *negatives in rows:
        pairs.add(hash(anchor), [hash(each) for each in positives], [hash(each) for each in negatives])
    return pairs


ROW = st.tuples(st.sampled_from("xyz"), st.lists(st.sampled_from("abcd"), min_size=1, max_size=3))


@given(st.lists(ROW, min_size=1, max_size=6), st.integers(2, 6))
def test_expected_false_negatives_are_the_mean_over_all_batches(rows, batch_size):
    known = {anchor: {p for a, ps in rows if a == anchor for p in ps} for anchor, _ in rows}
    batches = list(combinations(range(len(rows)), min(batch_size, len(rows))))
    false = sum(
        rows[j][1][0] in known[rows[i][0]] for batch in batches for i in batch for j in batch if i != j
    )
    found = pairs_of(rows).false_negatives(batch_size)
    assert found.expected == pytest.approx(float(Fraction(false, len(batches))))
    assert found.rows == sum(
        any(rows[j][1][0] in known[anchor] for j in range(len(rows)) if j != i)
        for i, (anchor, _) in enumerate(rows)
    )


def test_two_rows_of_one_passage_in_a_batch_of_two_are_two_false_negatives():
    assert pairs_of([("x", "a"), ("y", "a")]).false_negatives(2).expected == 2


@given(st.lists(st.integers(0, 5), max_size=20))
def test_repeats_are_what_came_before(numbers):
    expected = [(at, numbers.index(each)) for at, each in enumerate(numbers) if each in numbers[:at]]
    rows, firsts = repeats(np.array(numbers, np.int64))
    assert list(zip(rows.tolist(), firsts.tolist(), strict=True)) == expected


def test_rows_with_the_same_positive_and_with_another_are_told_apart():
    pairs = pairs_of([("x", "a"), ("y", "a"), ("x", "b"), ("x", "a")])
    assert [each.tolist() for each in pairs.same_rows()] == [[3], [0]]
    assert [each.tolist() for each in pairs.other_positives()] == [[2], [0]]


def test_a_hard_negative_that_is_a_positive_of_the_same_anchor_in_another_row_is_a_contradiction():
    pairs = pairs_of([("x", "a", "c"), ("y", "c", "a"), ("x", "c", "d"), ("y", "b", "b")])
    assert pairs.contradictions().tolist() == [0, 3]


def test_nothing_is_found_in_nothing():
    assert pairs_of([]).false_negatives(2).expected == 0
