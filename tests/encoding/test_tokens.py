from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retriever.encoding.encoder import Encoder
from retriever.encoding.tokens import Tokens
from retriever.errors import InputError


def ragged(lists: list[list[int]]) -> Tokens:
    offsets = [0]
    for each in lists:
        offsets.append(offsets[-1] + len(each))
    return Tokens(torch.tensor([i for each in lists for i in each], dtype=torch.int64), torch.tensor(offsets))


def lists(tokens: Tokens) -> list[list[int]]:
    bounds = tokens.offsets.tolist()
    return [tokens.ids[a:b].tolist() for a, b in pairwise(bounds)]


texts = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=6), min_size=1, max_size=8)


@given(texts, st.data())
def test_select_takes_the_texts_at_the_rows_in_their_order(
    content: list[list[int]], data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1))
    assert lists(ragged(content).select(chosen)) == [content[row] for row in chosen]


@given(texts, st.integers(1, 12))
def test_split_keeps_every_text_and_respects_the_budget(content: list[list[int]], budget: int) -> None:
    parts = list(ragged(content).split(budget))
    assert [each for part in parts for each in lists(part)] == content
    assert all(len(part.ids) <= budget or len(part) == 1 for part in parts)


@given(texts)
def test_split_and_concatenate_are_inverse(content: list[list[int]]) -> None:
    assert lists(Tokens.concatenate(list(ragged(content).split(5)))) == content


def test_padding_fills_on_the_right() -> None:
    ids, mask = ragged([[1, 2], [3]]).padded(0)
    assert ids.tolist() == [[1, 2], [3, 0]]
    assert mask.tolist() == [[True, True], [True, False]]


def test_title_and_text_become_a_pair_and_a_missing_title_leaves_the_text_alone(encoder: Encoder) -> None:
    tokens = encoder.tokenize(["the cat", "the dog", "snow"], ["cat", "", "winter"])
    decoded = [encoder.tokenizer.decode(each) for each in lists(tokens)]
    assert decoded == [
        "[CLS] cat [SEP] the cat [SEP]",
        "[CLS] the dog [SEP]",
        "[CLS] winter [SEP] snow [SEP]",
    ]


def test_cut_texts_are_counted_and_end_in_a_separator(encoder: Encoder) -> None:
    tokens = encoder.tokenize(["the cat sat on the mat", "snow"], max_length=5)
    assert [len(each) for each in lists(tokens)] == [5, 3]
    assert lists(tokens)[0][-1] == encoder.tokenizer.sep_token_id
    assert tokens.num_truncated == 1


def test_a_text_that_just_fits_is_not_counted_as_cut(encoder: Encoder) -> None:
    assert encoder.tokenize(["the cat sat"], max_length=5).num_truncated == 0


def test_a_length_that_leaves_nothing_beside_the_special_tokens_is_refused(encoder: Encoder) -> None:
    assert encoder.tokenize(["the cat"], max_length=3).lengths.tolist() == [3]
    for titles, length, what in ((None, 2, "a text"), (["cat"], 3, "title and text")):
        with pytest.raises(InputError) as error:
            encoder.tokenize(["the cat"], titles, max_length=length)
        assert str(error.value) == (
            f"a length of {length} leaves no token for {what}: the tokenizer adds {length} of its own"
        )


@pytest.mark.parametrize("titles", [None, []])
def test_no_texts_give_no_tokens(encoder: Encoder, titles: list[str] | None) -> None:
    assert len(encoder.tokenize([], titles)) == 0
