import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder as Peer
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from retriever.errors import InputError
from retriever.records import Passage
from retriever.search import rerank
from retriever.search.rerank import CrossEncoder


def save_classifier(folder, plain_folder, num_labels):
    torch.manual_seed(1)
    config = BertConfig.from_pretrained(plain_folder, num_labels=num_labels)
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast.from_pretrained(plain_folder).save_pretrained(folder)
    return folder


def test_scores_are_the_sigmoid_of_what_the_model_gives_question_and_passage(plain_folder, tmp_path):
    folder = save_classifier(tmp_path / "model", plain_folder, 1)
    pairs = [
        ("who plays the piano", Passage("1", "the queen plays", "music")),
        ("cats", Passage("2", "dogs ran")),
    ]
    scores = CrossEncoder(str(folder), device="cpu")(pairs)
    inputs = [("who plays the piano", "music. the queen plays"), ("cats", "dogs ran")]
    logits = Peer(str(folder), device="cpu").predict(inputs, activation_fn=torch.nn.Identity())
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=1e-6)
    assert scores.shape == (2,) and scores[0] != scores[1]


def test_a_model_of_several_labels_is_refused(plain_folder, tmp_path):
    folder = save_classifier(tmp_path / "model", plain_folder, 3)
    with pytest.raises(InputError) as error:
        CrossEncoder(str(folder), device="cpu")
    assert str(error.value) == f"{folder}: gives 3 scores, a cross-encoder for ranking gives one"


def test_an_encoder_without_a_trained_head_is_refused(plain_folder):
    with pytest.raises(InputError) as error:
        CrossEncoder(str(plain_folder), device="cpu")
    assert str(error.value) == f"{plain_folder}: is no cross-encoder: its head would be a random one"


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as error:
        CrossEncoder(str(tmp_path / "empty"), device="cpu")
    expected = f"{tmp_path / 'empty'}: not a model folder (none of config.json, modules.json, dual_encoder.json in it)"
    assert str(error.value) == expected


def test_how_passages_are_read_is_part_of_the_fingerprint(plain_folder, tmp_path, monkeypatch):
    model = CrossEncoder(str(save_classifier(tmp_path / "model", plain_folder, 1)), device="cpu")
    before = model.fingerprint()
    assert model.fingerprint() == before
    monkeypatch.setattr(rerank, "PASSAGE_FORMAT", "{text}")
    assert model.fingerprint() != before
