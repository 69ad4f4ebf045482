from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from retriever.choices import PassageFormat
from retriever.encoding.dual_encoder import JOIN, DualEncoder, format_passages
from retriever.encoding.encoder import Encoder
from retriever.encoding.model_folder import EncoderSettings
from retriever.errors import InputError
from retriever.records import Passage
from tests.tiny import tiny_encoder

SETTINGS = EncoderSettings(pooling="mean", max_length=32)


def load(folder: Path) -> DualEncoder:
    return DualEncoder.load(folder, device="cpu", precision="fp32")


def test_every_passage_format_is_covered() -> None:
    assert set(JOIN) | {"pair"} == set(get_args(PassageFormat))


def test_passage_formats_join_title_and_text_and_leave_out_a_missing_title() -> None:
    both = [Passage("1", "sat on {text}", "{text} cat"), Passage("2", "ran")]
    assert format_passages(both, "{title}. {text}") == (["{text} cat. sat on {text}", "ran"], None)
    assert format_passages(both, "{title} {text}") == (["{text} cat sat on {text}", "ran"], None)
    assert format_passages(both, "{text}") == (["sat on {text}", "ran"], None)
    assert format_passages(both, "pair") == (["sat on {text}", "ran"], ["{text} cat", ""])


def test_the_passage_format_is_saved_and_used(
    plain_folder: Path, tmp_path: Path, passages: list[Passage]
) -> None:
    encoder = tiny_encoder(plain_folder, replace(SETTINGS, passage_format="pair")).eval()
    DualEncoder(encoder).save(tmp_path / "model")
    found = load(tmp_path / "model").encode_passages(passages)
    expected = encoder.encode([each.text for each in passages], [each.title for each in passages])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_two_encoders_are_saved_as_two_and_each_embeds_its_own_kind(
    plain_folder: Path, tmp_path: Path
) -> None:
    query, passage = (tiny_encoder(plain_folder, SETTINGS).eval() for _ in range(2))
    with torch.no_grad():
        for each in passage.parameters():
            each.mul_(1.1)
    model = DualEncoder(query, passage)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert not again.shared
    assert again.fingerprint == model.fingerprint
    texts = ["the cat", "snow falls"]
    np.testing.assert_array_equal(again.encode_queries(texts), model.encode_queries(texts))
    only_text = [Passage(text, text) for text in texts]
    np.testing.assert_array_equal(again.encode_passages(only_text), model.encode_passages(only_text))
    assert np.abs(again.encode_passages(only_text) - again.encode_queries(texts)).max() > 1e-3


def test_a_dot_model_keeps_the_length_of_its_vectors_and_a_cosine_model_gives_unit_vectors(
    plain_folder: Path,
) -> None:
    cosine = DualEncoder(tiny_encoder(plain_folder, SETTINGS).eval())
    dot = DualEncoder(tiny_encoder(plain_folder, replace(SETTINGS, similarity="dot")).eval())
    np.testing.assert_allclose(np.linalg.norm(cosine.encode_queries(["the cat"]), axis=1), 1, atol=1e-6)
    assert np.linalg.norm(dot.encode_queries(["the cat"])) > 1.5


@pytest.mark.parametrize("own", [None, 8])
def test_a_length_asked_for_passages_is_not_that_of_questions(
    plain_folder: Path, tmp_path: Path, own: int | None
) -> None:
    DualEncoder(tiny_encoder(plain_folder, replace(SETTINGS, query_max_length=own))).save(tmp_path / "model")
    long = "the cat sat on the mat in the park by the old tree"
    model = load(tmp_path / "model")
    short = DualEncoder.load(tmp_path / "model", max_length=4, device="cpu", precision="fp32")
    assert short.tokenize_passages([Passage("1", long)]).lengths.tolist() == [4]
    assert short.tokenize_queries([long]).lengths.tolist() == [own or 15]
    np.testing.assert_array_equal(short.encode_queries([long]), model.encode_queries([long]))
    assert short.fingerprint == model.fingerprint


def test_a_folder_that_declares_no_length_takes_questions_as_long_as_there_are_positions(
    plain_folder: Path,
) -> None:
    model = DualEncoder.load(plain_folder, pooling="cls", max_length=4, device="cpu", precision="fp32")
    assert model.tokenize_queries(["cat " * 80]).lengths.tolist() == [64]


def test_encoders_of_different_size_are_refused(encoder: Encoder, plain_folder: Path) -> None:
    other = tiny_encoder(plain_folder, replace(SETTINGS, head_activation=None))
    other.head = torch.nn.Linear(32, 16)
    other.settings = replace(other.settings, head_activation="torch.nn.modules.activation.Tanh")
    with pytest.raises(InputError) as error:
        DualEncoder(encoder, other)
    assert str(error.value) == "the question encoder gives 32 dimensions, the passage encoder 16"


def test_two_encoders_are_not_taken_for_one(plain_folder: Path, tmp_path: Path) -> None:
    DualEncoder(*(tiny_encoder(plain_folder, SETTINGS) for _ in range(2))).save(tmp_path / "model")
    with pytest.raises(InputError) as error:
        Encoder.load(tmp_path / "model", device="cpu")
    folder = tmp_path / "model"
    assert (
        str(error.value) == f"{folder}: holds two encoders: name {folder / 'query'} or {folder / 'passage'}"
    )


def test_one_encoder_saved_where_two_lay_is_one(plain_folder: Path, tmp_path: Path) -> None:
    DualEncoder(*(tiny_encoder(plain_folder, SETTINGS) for _ in range(2))).save(tmp_path / "model")
    shared = DualEncoder(tiny_encoder(plain_folder, replace(SETTINGS, pooling="cls")))
    shared.save(tmp_path / "model")
    assert load(tmp_path / "model").fingerprint == shared.fingerprint
