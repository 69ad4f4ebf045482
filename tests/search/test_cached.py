import json

import pytest

from retriever.errors import InputError
from retriever.records import Ranking
from retriever.search.cached import CachedSearcher


class Counting:
    def __init__(self):
        self.asked = []

    def search(self, queries, k):
        self.asked.append((tuple(queries), k))
        return [Ranking(["b", "a", "c"][:k], [0.1 + len(query), 0.1, -1 / 3][:k]) for query in queries]


@pytest.fixture
def inner():
    return Counting()


def test_a_search_asked_again_is_read_bit_for_bit_and_nothing_is_opened(inner, tmp_path):
    queries = ["one", "two\0words"]
    found = CachedSearcher(lambda: inner, tmp_path / "x" / "searches").search(queries, 3)
    again = CachedSearcher(lambda: pytest.fail("opened"), tmp_path / "x" / "searches")
    assert again.search(queries, 3) == found == Counting().search(queries, 3)
    assert inner.asked == [(tuple(queries), 3)]


def test_other_questions_and_another_k_are_searched(inner, tmp_path):
    searcher = CachedSearcher(lambda: inner, tmp_path)
    searcher.search(["one", "two"], 2)
    searcher.search(["onet", "wo"], 2)  # the same letters
    assert searcher.search(["one", "two"], 3) == Counting().search(["one", "two"], 3)
    assert searcher.search(["one", "two"], 1) == Counting().search(["one", "two"], 1)
    assert [k for _, k in inner.asked] == [2, 2, 3, 1]


@pytest.mark.parametrize("damage", ['{"depth": 3}', "7", '[{"ids": ["a"], "scores": []}]'])
def test_a_damaged_file_is_named(inner, tmp_path, damage):
    CachedSearcher(lambda: inner, tmp_path).search(["one"], 3)
    [file] = tmp_path.iterdir()
    assert json.loads(file.read_text())[0]["ids"] == ["b", "a", "c"]
    file.write_text(damage)
    with pytest.raises(InputError) as error:
        CachedSearcher(lambda: inner, tmp_path).search(["one"], 3)
    assert str(error.value).startswith(f"{file}: is no cached search (")
    assert str(error.value).endswith("): delete it")
