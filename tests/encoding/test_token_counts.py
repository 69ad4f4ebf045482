from dataclasses import replace

import pytest

from retriever.encoding.encoder import Encoder
from retriever.encoding.token_counts import token_counter
from tests.conftest import WORDS


@pytest.mark.parametrize("passage_format", ["pair", "{title}. {text}", "{text}"])
def test_the_counts_are_those_of_the_encoder_that_cuts_nothing(tmp_path, model_folder, passage_format):
    encoder = Encoder.load(model_folder, device="cpu")
    encoder.settings = replace(encoder.settings, prompts={"query": "the cat ", "passage": "the dog "})
    encoder.save(tmp_path)
    texts = [("", "the cat"), ("snow", "the cat sat"), ("", "")]
    counts = token_counter(str(tmp_path), "passage", passage_format)(texts)
    joined = {"pair": "snow the cat sat", "{title}. {text}": "snow. the cat sat", "{text}": "the cat sat"}[
        passage_format
    ]
    (whole,) = encoder.tokenize([joined], role="passage").lengths.tolist()
    plain = encoder.tokenize(["the cat", ""], role="passage").lengths.tolist()
    assert counts == [plain[0], whole + (passage_format == "pair"), plain[1]]  # a pair has one [SEP] more


def test_long_texts_are_counted_whole(model_folder):
    assert token_counter(str(model_folder))([("", " ".join(WORDS[:1] * 1000))]) == [1002]
