import re
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from retriever.data.documents.document import NoText, Paragraph, compose
from retriever.data.split import Splitter, sentence_ends, word_starts, words_between

LETTERS = [chr(place) for place in range(ord("a"), ord("z") + 1)]


def document(*paragraphs, title="T"):
    return compose(title, [each if isinstance(each, Paragraph) else Paragraph(each) for each in paragraphs])


def texts(text, **settings):
    return [block.text for block in Splitter(**settings).split(document(text))]


def words_of(text):
    starts = word_starts(text)
    return [words_between(text, starts, place, place + 1) for place in range(len(starts))]


ENGLISH = st.lists(st.text("abcXYZ019.,!'-", min_size=1, max_size=8), min_size=1, max_size=300)
ANYTHING = st.lists(
    st.one_of(st.text(), st.text("漢字かなカナไทยにほん。「」() a.A!\n", max_size=60)), min_size=1, max_size=6
)


@given(ENGLISH, st.integers(1, 40))
def test_blocks_are_the_disjoint_slices_of_the_words(words, size):
    expected = [" ".join(words[start : start + size]) for start in range(0, len(words), size)]
    assert texts(" ".join(words), words=size, last_block="keep") == expected


@given(ENGLISH, st.integers(2, 40), st.data())
def test_neighbours_share_exactly_the_overlap(words, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    expected = [" ".join(words[:size])]
    start = 0
    while start + size < len(words):
        start += size - overlap
        expected.append(" ".join(words[start : start + size]))
    blocks = list(Splitter(words=size, overlap=overlap, last_block="keep").split(document(" ".join(words))))
    assert [block.text for block in blocks] == expected
    assert sum(block.words for block in blocks) == len(words)


@given(ANYTHING, st.integers(1, 20), st.booleans(), st.sampled_from(["join", "keep"]))
def test_nothing_but_white_space_is_lost_or_moved_whatever_the_script(parts, size, sentences, last_block):
    try:
        whole = document(*parts)
    except NoText:
        assume(False)
    blocks = list(Splitter(words=size, sentences=sentences, last_block=last_block).split(whole))
    assert "".join(block.text for block in blocks).replace(" ", "") == re.sub(r"[ \n]", "", whole.text)
    assert sum(block.words for block in blocks) == len(word_starts(whole.text))
    assert all(block.text.strip() == block.text != "" and "\n" not in block.text for block in blocks)


@pytest.mark.parametrize(
    ("count", "size", "policy", "expected"),
    [
        (9, 8, "join", ["abcdefghi"]),  # one word is less than a quarter of eight
        (10, 8, "join", ["abcdefgh", "ij"]),  # two are not
        (17, 8, "join", ["abcdefgh", "ijklmnopq"]),
        (1, 8, "join", ["a"]),
        (9, 8, "keep", ["abcdefgh", "i"]),
        (10, 8, "wrap", ["abcdefgh", "ijabcdef"]),
        (16, 8, "wrap", ["abcdefgh", "ijklmnop"]),
        (3, 8, "wrap", ["abc"]),
    ],
)
def test_the_last_block_is_joined_kept_or_filled_from_the_beginning(count, size, policy, expected):
    found = texts(" ".join(LETTERS[:count]), words=size, last_block=policy)
    assert [text.replace(" ", "") for text in found] == expected


def test_with_overlap_short_is_what_the_last_block_adds():
    # Blocks add four words: the last adds one, a quarter, and stands; of 12 words the third block adds nothing.
    assert texts(" ".join(LETTERS[:13]), words=8, overlap=4) == [
        "a b c d e f g h",
        "e f g h i j k l",
        "i j k l m",
    ]
    assert texts(" ".join(LETTERS[:12]), words=8, overlap=4) == ["a b c d e f g h", "e f g h i j k l"]
    assert texts(" ".join(LETTERS[:9]), words=8, overlap=3) == ["a b c d e f g h i"]


def test_sentences_stay_whole_and_a_longer_one_is_cut_and_counted():
    text = "One two three. Four five! (Six seven?) Eight nine ten eleven twelve thirteen."
    blocks = list(Splitter(words=5, sentences=True, last_block="keep").split(document(text)))
    assert [(block.text, block.cuts_sentence) for block in blocks] == [
        ("One two three. Four five!", False),
        ("(Six seven?)", False),
        ("Eight nine ten eleven twelve", True),
        ("thirteen.", False),
    ]


def test_a_sentence_ends_with_a_stop_before_no_small_letter_or_with_its_paragraph():
    def sentences(*paragraphs):
        text = document(*paragraphs).text
        starts = word_starts(text)
        ends = sentence_ends(text, starts)
        return [words_between(text, starts, *pair) for pair in pairwise(ends)]

    assert sentences("He paid 3.5 e.g. in cash. “Why?” 7 said so", "A heading", "and on") == [
        "He paid 3.5 e.g. in cash.",
        "“Why?”",
        "7 said so",
        "A heading",
        "and on",
    ]
    assert sentences("彼は「はい。」と言った。終わり") == ["彼は「はい。」", "と言った。", "終わり"]


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=9), min_size=1, max_size=30),
    st.integers(1, 12),
    st.data(),
)
def test_whole_sentences_with_overlap(sentences, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    text = " ".join(" ".join(["X", *words]) + "." for words in sentences)
    ends, total = [0], 0
    for words in sentences:
        total += len(words) + 1
        ends.append(total)
    blocks = list(
        Splitter(words=size, overlap=overlap, sentences=True, last_block="keep").split(document(text))
    )
    end = 0
    for block in blocks:
        length = len(block.text.split())
        start = end - (length - block.words)
        assert block.words >= 1 and end - overlap <= start <= end and length <= size
        assert start in ends or start == end
        assert " ".join(text.split()[start : end + block.words]) == block.text
        end += block.words
        assert block.cuts_sentence == (end not in ends)
        # as many sentences as fit: the next one does not, and only one that fits in no block is cut
        following = min(each for each in [*ends, total + size + 1] if each > end)
        assert following > start + size
    assert end == total


def test_words_of_scripts_without_spaces_are_letters_with_their_marks_and_signs():
    assert words_of("私は「東京」へ。 GPU版") == ["私", "は", "「東", "京」", "へ。", "GPU", "版"]
    assert words_of("カタカナ 가나 다") == ["カ", "タ", "カ", "ナ", "가나", "다"]
    assert words_of("ที่นี่") == ["ที่", "นี่"]
    assert words_of("𠮷野") == ["𠮷", "野"]


def test_text_without_spaces_is_cut_without_adding_any():
    assert texts("一二三四五六七八九十", words=4, last_block="keep") == ["一二三四", "五六七八", "九十"]


def test_a_run_of_more_than_a_hundred_characters_counts_as_several_words():
    assert [len(text) for text in texts("x" * 250, words=2, last_block="keep")] == [200, 50]


def test_titles_with_the_last_heading_at_or_before_the_first_word():
    whole = document(
        "a b", Paragraph("One", 2), "c d e", Paragraph("T", 1), "f", Paragraph("Two words", 3), "g", title="T"
    )
    blocks = Splitter(words=2, headings=True, last_block="keep").split(whole)
    assert [(block.text, block.title) for block in blocks] == [
        ("a b", "T"),
        ("One c", "T: One"),
        ("d e", "T: One"),
        ("T f", "T"),
        ("Two words", "T: Two words"),
        ("g", "T: Two words"),
    ]
    assert {block.title for block in Splitter(words=2).split(whole)} == {"T"}
