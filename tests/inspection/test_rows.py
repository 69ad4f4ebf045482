from pathlib import Path

import pytest

from retriever.inspection.rows import ALWAYS_ASKED, DprCheck, SimcseCheck
from retriever.records import DprExample, Passage, Query, SimcseExample

FILE = Path("train")


def passage(text):
    return Passage(text, text)


def watched(check, examples):
    list(check.watch(FILE, enumerate(examples, start=1)))
    check.settle()
    return {
        each.name: (each.count, each.total, [example.place for example in each.examples])
        for each in check.findings()
    }


def question(text, positive, *negatives, answers=()):
    return DprExample(Query(text, text), (passage(positive),), tuple(map(passage, negatives)), answers)


def test_other_negatives_stand_in_for_hard_ones_only_where_these_are_wanted():
    rows = [DprExample(Query("q", "who?"), (passage("a cat"),), (), (), (passage("a dog"),))]
    assert watched(DprCheck(), rows) == {"others_for_hard": (1, 1, ["train:1"])}
    assert watched(DprCheck(wants_hard=False), rows) == {}


def test_a_positive_among_the_other_negatives_is_told_where_these_may_be_trained_on():
    rows = [
        DprExample(
            Query("q", "who?"),
            (passage("a cat"),),
            (passage("a dog"),),
            (),
            (passage("a bird"), passage("A  cat ")),
        )
    ]
    assert watched(DprCheck(), rows) == {"positive_is_other_negative": (1, 2, ["train:1"])}
    assert watched(DprCheck(wants_other=False), rows) == {}


def test_case_and_white_space_do_not_hide_a_positive_among_the_hard_negatives():
    rows = [question("who sat?", "the cat sat", "the dog ran", "The  cat sat\n")]
    assert watched(DprCheck(), rows) == {"positive_is_hard_negative": (1, 2, ["train:1"])}


def test_what_is_wrong_with_questions():
    rows = [
        question("who sat?", "the cat sat", "the dog ran", "the cat sat"),
        question("Who sat?", "the cat sat"),
        question("who sat?", "a cat sat down", "  ", answers=["cat"]),
        question("who ran?", "it ran", "the dog ran", answers=["dog"]),
        question("who flew?", "", answers=["bird"]),
    ]
    assert watched(DprCheck(), rows) == {
        "same_row": (1, 5, ["train:2"]),
        "other_positive": (1, 5, ["train:3"]),
        "positive_is_hard_negative": (1, 4, ["train:1"]),
        "empty_hard_negative": (1, 4, ["train:3"]),
        "empty_positive": (1, 5, ["train:5"]),
        "positive_lacks_answer": (2, 3, ["train:4", "train:5"]),
        "hard_negative_has_answer": (1, 2, ["train:4"]),
    }


def test_what_is_wrong_with_triplets():
    rows = [
        SimcseExample("a cat", "one cat", ("a dog", "One cat")),
        SimcseExample("A cat", "one cat", ("a bird",)),
        SimcseExample("a dog", "A dog"),
        SimcseExample("a bird", "one bird", ("a bird",)),
        SimcseExample("a bird", "some bird", ("one bird",)),
    ]
    assert watched(SimcseCheck(), rows) == {
        "same_row": (1, 5, ["train:2"]),
        "positive_is_hard_negative": (2, 5, ["train:1", "train:5"]),
        "positive_is_anchor": (1, 5, ["train:3"]),
        "hard_negative_is_anchor": (1, 5, ["train:4"]),
    }


def test_sentences_without_positives_are_only_repeated():
    rows = map(SimcseExample, ["a cat", "a dog", "A cat "])
    assert watched(SimcseCheck(), rows) == {"same_row": (1, 3, ["train:3"])}


def test_good_data_have_no_findings():
    assert watched(DprCheck(), [question("who?", "a b", "c", answers=["b"])]) == {}
    assert watched(SimcseCheck(), [SimcseExample("a", "b", ("c",))]) == {}


def test_a_sample_of_the_answers_is_looked_at_after_the_first_ones():
    rows = [question(f"q{n}", f"p{n}", "the dog", answers=["dog"]) for n in range(ALWAYS_ASKED + 100)]
    found = watched(DprCheck(sampled=50), rows)
    assert found["hard_negative_has_answer"][:2] == (ALWAYS_ASKED + 2, ALWAYS_ASKED + 2)


def test_training_is_warned_with_places_and_remedy():
    check = SimcseCheck()
    list(check.watch(FILE, [(3, SimcseExample("a", "b", ("a",)))]))
    assert check.warnings() == [
        "1 of 1 hard negatives that were looked at are equal to their anchor (train:3). "
        "Drop them: they push a sentence away from itself."
    ]


@pytest.mark.parametrize(("rows", "said"), [(900, 1), (1100, 0)])
def test_training_is_not_warned_of_a_rarity(rows, said):
    check = SimcseCheck()
    list(check.watch(FILE, enumerate(SimcseExample(f"row {max(n, 1)}") for n in range(rows))))
    assert len(check.warnings()) == said
