import torch

from retriever.encoding.encoder import Encoder
from retriever.encoding.tokens import Tokens
from retriever.training import token_table
from retriever.training.token_table import TokenTable
from tests.conftest import WORDS


def texts() -> list[str]:
    return [" ".join(WORDS[start : start + 1 + start % 7]) for start in range(60)]


def test_each_distinct_text_has_one_row_with_its_tokens(encoder: Encoder, monkeypatch) -> None:
    monkeypatch.setattr(token_table, "BLOCK", 16)  # several blocks
    table = TokenTable[str](lambda found: encoder.tokenize(found, max_length=6))
    rows = [table.row(text) for text in [*texts(), *reversed(texts())]]
    assert rows == [*range(60), *reversed(range(60))]
    assert len(table) == 60
    found, expected = table.tokens(), encoder.tokenize(texts(), max_length=6)
    assert torch.equal(found.ids.long(), expected.ids)
    assert torch.equal(found.offsets, expected.offsets)
    assert found.num_truncated == expected.num_truncated > 0


def test_tokens_beyond_the_limit_lie_in_a_file_and_are_the_same(encoder: Encoder, monkeypatch) -> None:
    monkeypatch.setattr(token_table, "BLOCK", 8)
    tables = [TokenTable[str](encoder.tokenize, spill_bytes=limit) for limit in (200, 1 << 30)]
    for text in texts():
        for table in tables:
            table.row(text)
    spilled, kept = (table.tokens() for table in tables)
    assert [table._file is None for table in tables] == [False, True]
    assert torch.equal(spilled.ids, kept.ids)
    assert spilled.select([3, 50]).ids.dtype == torch.int64


def test_title_and_text_are_told_apart() -> None:
    def nothing(found: list[tuple[str, str]]) -> Tokens:
        return Tokens(torch.empty(0, dtype=torch.int64), torch.zeros(len(found) + 1, dtype=torch.int64))

    table = TokenTable[tuple[str, str]](nothing)
    assert [table.row(each) for each in [("a", "b c"), ("a b", "c"), ("a", "b c"), ("", "a b c")]] == [
        0,
        1,
        0,
        2,
    ]
