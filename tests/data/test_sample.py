from collections import Counter

import pytest

from retriever.data.sample import sample_items


def test_few_items_are_all_taken_in_order() -> None:
    assert sample_items(iter("abc"), 3, seed=0) == (["a", "b", "c"], 3)
    assert sample_items([], 3, seed=0) == ([], 0)


def test_a_sample_keeps_the_order_holds_nothing_twice_and_depends_on_the_seed_alone() -> None:
    drawn, seen = sample_items(range(1000), 50, seed=4)
    assert (len(drawn), seen) == (50, 1000)
    assert drawn == sorted(set(drawn))
    assert (drawn, seen) == sample_items(iter(range(1000)), 50, seed=4)
    assert drawn != sample_items(range(1000), 50, seed=5)[0]


def test_each_item_is_as_likely_as_any_other() -> None:
    times = Counter(each for seed in range(5000) for each in sample_items(range(10), 3, seed=seed)[0])
    assert set(times) == set(range(10))
    assert all(count == pytest.approx(1500, abs=150) for count in times.values())  # 4.6 standard deviations
