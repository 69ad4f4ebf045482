import pytest

from retriever.encoding import truncation
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.truncation import are_cut
from retriever.records import Passage


@pytest.mark.parametrize("window", [2, 100])
@pytest.mark.parametrize("passage_format", ["pair", "{title}. {text}"])
def test_passages_are_cut_that_lose_a_token(model_folder, window, passage_format, monkeypatch):
    monkeypatch.setattr(truncation, "WINDOW", window)
    model = DualEncoder.load(model_folder, device="cpu", max_length=12, passage_format=passage_format)
    passages = [Passage(str(words), "cat " * words, "dog") for words in range(1, 20)]
    whole = DualEncoder.load(model_folder, device="cpu", max_length=60, passage_format=passage_format)
    expected = [int(whole.tokenize_passages([each]).lengths[0]) > 12 for each in passages]
    assert are_cut(model, passages) == expected
    assert True in expected and False in expected
    assert are_cut(model, []) == []
