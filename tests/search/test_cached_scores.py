import sqlite3

import numpy as np
import pytest

from retriever.errors import InputError
from retriever.records import Passage
from retriever.search.cached_scores import CachedScores


class Reader:
    """Scores by the length of the text, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, pairs):
        self.asked.append([(question, passage.text) for question, passage in pairs])
        return np.array([len(passage.text) / 10 for _, passage in pairs], np.float32)


def pair(question, text, title=""):
    return (question, Passage("1", text, title))


def test_only_new_pairs_are_read_and_the_order_is_kept(tmp_path):
    reader = Reader()
    scores = CachedScores(reader, tmp_path / "scores.sqlite")
    np.testing.assert_array_equal(
        scores([pair("q", "abc"), pair("q", "a")]), np.array([0.3, 0.1], np.float32)
    )
    again = scores([pair("q", "a"), pair("q", "ab"), pair("q", "abc")])
    np.testing.assert_array_equal(again, np.array([0.1, 0.2, 0.3], np.float32))
    assert reader.asked == [[("q", "abc"), ("q", "a")], [("q", "ab")]]


def test_a_pair_that_occurs_twice_in_a_call_is_read_once(tmp_path):
    reader = Reader()
    scores = CachedScores(reader, tmp_path / "scores.sqlite")
    assert scores([pair("q", "a"), pair("q", "a")]).shape == (2,)
    assert reader.asked == [[("q", "a")]]


def test_another_process_finds_the_scores(tmp_path):
    first, second = Reader(), Reader()
    expected = CachedScores(first, tmp_path / "scores.sqlite")([pair("q", "a")])
    np.testing.assert_array_equal(
        CachedScores(second, tmp_path / "scores.sqlite")([pair("q", "a")]), expected
    )
    assert second.asked == []


@pytest.mark.parametrize(
    "other", [pair("p", "a"), pair("q", "b"), pair("q", "a", "title"), pair("qa", ""), pair("", "qa")]
)
def test_question_title_and_text_all_count(tmp_path, other):
    reader = Reader()
    scores = CachedScores(reader, tmp_path / "scores.sqlite")
    scores([pair("q", "a")])
    scores([other])
    assert len(reader.asked) == 2


def test_more_pairs_than_one_query_of_the_database_takes(tmp_path):
    reader = Reader()
    scores = CachedScores(reader, tmp_path / "scores.sqlite")
    pairs = [pair("q", "a" * number) for number in range(1200)]
    np.testing.assert_array_equal(scores(pairs), scores(pairs))
    assert len(reader.asked) == 1


def test_what_is_no_database_is_refused_and_stays(tmp_path):
    file = tmp_path / "scores.sqlite"
    file.write_text("not a database, but long enough to be taken for one" * 10)
    with pytest.raises(InputError) as error:
        CachedScores(Reader(), file)
    assert str(error.value) == f"{file}: holds no cached scores (file is not a database): delete it"
    assert file.read_text().startswith("not a database")


@pytest.mark.parametrize("columns", ["pair BLOB PRIMARY KEY, value REAL", "pair BLOB"])
def test_a_database_of_something_else_is_refused(tmp_path, columns):
    file = tmp_path / "scores.sqlite"
    with sqlite3.connect(file) as database:
        database.execute(f"CREATE TABLE scores ({columns})")
    with pytest.raises(InputError) as error:
        CachedScores(Reader(), file)
    names = ", ".join(each.split()[0] for each in columns.split(", "))
    assert str(error.value) == f"{file}: holds no cached scores (columns {names}): delete it"


def test_what_cannot_be_opened_is_not_to_be_deleted(tmp_path):
    (tmp_path / "scores.sqlite").mkdir()
    with pytest.raises(InputError) as error:
        CachedScores(Reader(), tmp_path / "scores.sqlite")
    assert str(error.value) == (
        f"{tmp_path / 'scores.sqlite'}: the cache of scores cannot be opened: unable to open database file"
    )
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as error:
        CachedScores(Reader(), tmp_path / "file" / "scores.sqlite")
    assert "the cache of scores cannot be made" in str(error.value)


def test_a_full_disk_is_told_once_and_scores_go_on_uncached(tmp_path, caplog):
    reader, file = Reader(), tmp_path / "scores.sqlite"
    scores = CachedScores(reader, file)
    expected = scores([pair("q", "a")])
    pages = scores._database.execute("PRAGMA page_count").fetchone()[0]
    scores._database.execute(f"PRAGMA max_page_count = {pages}")
    many = [pair("q", "a" * number) for number in range(1, 500)]
    for _ in range(2):
        assert scores(many).shape == (499,)
    assert caplog.messages == [f"{file}: scores are not cached any more: database or disk is full"]
    np.testing.assert_array_equal(scores([pair("q", "a")]), expected)  # what is there is read
    assert [len(each) for each in reader.asked] == [1, 498, 498]
