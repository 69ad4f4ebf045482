import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

from retriever.choices import PoolingMode
from retriever.encoding.encoder import Encoder
from retriever.encoding.model_folder import EncoderSettings
from retriever.encoding.tokens import Tokens
from retriever.errors import InputError
from retriever.training.load import add_head
from tests.conftest import WORDS
from tests.tiny import tiny_encoder

TEXTS = ["the cat sat on the mat", "snow", "the old king plays the piano in the park", "a red car", ""]


def load(folder: Path | str, **options: object) -> Encoder:
    return Encoder.load(folder, device="cpu", precision="fp32", **options)


def test_encode_keeps_the_callers_order(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    alone = np.stack([encoder.encode([text])[0] for text in TEXTS])
    assert together.dtype == np.float32
    assert together.shape == (5, 32)
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_windows_are_the_texts_in_their_order_made_ahead_or_not(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    texts = [" ".join(WORDS[: 1 + number % 7]) for number in range(23)]
    whole = encoder.tokenize(texts)
    monkeypatch.setattr("retriever.encoding.encoder.WINDOW", 5)
    monkeypatch.setattr(Encoder, "device", torch.device(device))
    windows = list(encoder._windows(texts, None, None))
    assert [start for start, _ in windows] == [0, 5, 10, 15, 20]
    joined = Tokens.concatenate([tokens for _, tokens in windows])
    assert torch.equal(joined.ids, whole.ids)
    assert torch.equal(joined.offsets, whole.offsets)


def test_windows_do_not_change_the_embeddings(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(WORDS[: 1 + number % 7]) for number in range(23)]
    expected = encoder.encode(texts)
    monkeypatch.setattr("retriever.encoding.encoder.WINDOW", 5)
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-6)


def test_a_batch_that_does_not_fit_is_run_in_parts(encoder: Encoder, monkeypatch, caplog) -> None:
    texts = [" ".join(WORDS[start : start + 1 + start % 7]) for start in range(60)]
    expected, real, limit, ran = encoder.encode(texts), Encoder.forward, 40, []

    def forward(self: Encoder, tokens: Tokens) -> torch.Tensor:
        ran.append(len(tokens.ids))
        if len(tokens.ids) > limit:
            raise torch.OutOfMemoryError
        return real(self, tokens)

    monkeypatch.setattr(Encoder, "forward", forward)
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-6)
    assert "memory is short" in caplog.messages[-1]
    assert len([each for each in ran if each > limit]) < 5  # not every batch is tried whole
    limit = 3
    with pytest.raises(InputError, match=r"a text of \d+ tokens does not fit into the memory of cpu"):
        encoder.encode(texts)


def test_encode_equals_mean_pooling_by_hand(encoder: Encoder, plain_folder: Path) -> None:
    reference = AutoModel.from_pretrained(plain_folder, add_pooling_layer=False).eval()
    for text, found in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        inputs = encoder.tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            expected = reference(**inputs).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_encode_has_no_dropout_and_leaves_training_mode_as_it_was(encoder: Encoder) -> None:
    encoder.train()
    np.testing.assert_array_equal(encoder.encode(TEXTS), encoder.encode(TEXTS))
    assert encoder.training


def test_the_two_views_of_simcse_differ_and_without_dropout_they_are_equal(encoder: Encoder) -> None:
    encoder.train()
    tokens = encoder.tokenize(["the cat sat on the mat"] * 2)
    first, second = encoder(tokens)
    assert not torch.allclose(first, second, atol=1e-3)
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    first, second = encoder(tokens)
    assert torch.allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("pooling", ["cls", "mean", "first_last_mean", "top2_mean"])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("with_head", [False, True])
def test_a_saved_folder_gives_sentence_transformers_and_ourselves_equal_vectors(
    plain_folder: Path, tmp_path: Path, pooling: PoolingMode, normalize: bool, with_head: bool
) -> None:
    settings = EncoderSettings(pooling=pooling, normalize=normalize, max_length=8)
    encoder = tiny_encoder(plain_folder, settings).eval()
    if with_head:
        add_head(encoder, "keep")
    encoder.save(tmp_path / "model")
    expected = encoder.encode(TEXTS)
    np.testing.assert_array_equal(load(tmp_path / "model").encode(TEXTS), expected)
    other = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    np.testing.assert_allclose(other.encode(TEXTS), expected, atol=1e-5)
    assert other.similarity_fn_name == "cosine"
    assert other.max_seq_length == 8


def test_the_tokenizer_is_saved_without_what_its_last_call_cut(plain_folder: Path, tmp_path: Path) -> None:
    encoder = tiny_encoder(plain_folder, EncoderSettings(pooling="mean", max_length=32)).eval()
    encoder.tokenize(TEXTS, max_length=4)
    encoder.save(tmp_path / "model")
    saved = json.loads((tmp_path / "model" / "tokenizer.json").read_text())
    assert (saved["truncation"], saved["padding"]) == (None, None)


def test_prompts_are_saved_with_the_model_and_used_by_role(plain_folder: Path, tmp_path: Path) -> None:
    prompts = {"query": "what is ", "passage": "the "}
    settings = EncoderSettings(pooling="mean", max_length=32, prompts=prompts)
    tiny_encoder(plain_folder, settings).save(tmp_path / "model")
    encoder = load(tmp_path / "model")
    np.testing.assert_array_equal(encoder.encode(["snow"], role="query"), encoder.encode(["what is snow"]))
    np.testing.assert_array_equal(encoder.encode(["snow"], role="passage"), encoder.encode(["the snow"]))
    other = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    expected = other.encode(["snow"], prompt_name="query")
    np.testing.assert_allclose(encoder.encode(["snow"], role="query"), expected, atol=1e-5)


def test_questions_have_a_length_of_their_own(plain_folder: Path) -> None:
    settings = EncoderSettings(pooling="mean", max_length=32, query_max_length=4)
    encoder = tiny_encoder(plain_folder, settings)
    assert len(encoder.tokenize(["the cat sat on the mat"], role="query").ids) == 4
    assert len(encoder.tokenize(["the cat sat on the mat"], role="passage").ids) == 8


def test_a_train_only_head_is_used_in_training_alone_and_never_saved(
    plain_folder: Path, tmp_path: Path
) -> None:
    encoder = tiny_encoder(plain_folder, EncoderSettings(pooling="cls", max_length=32)).eval()
    without = encoder.encode(TEXTS)
    add_head(encoder, "train_only")
    np.testing.assert_array_equal(encoder.encode(TEXTS), without)
    tokens = encoder.tokenize(TEXTS)
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    encoder.train()
    assert not torch.allclose(encoder(tokens), encoder.eval()(tokens), atol=1e-3)
    encoder.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").encode(TEXTS), without)


def test_equal_models_have_equal_fingerprints_in_any_folder(model_folder: Path, tmp_path: Path) -> None:
    encoder = load(model_folder)
    before = encoder.fingerprint
    encoder.encode(TEXTS)  # tokenizing sets the tokenizer's truncation, which is no part of the model
    encoder.save(tmp_path / "copy")
    assert load(tmp_path / "copy").fingerprint == before == encoder.fingerprint


def test_weights_pooling_and_prompts_change_the_fingerprint(plain_folder: Path) -> None:
    settings = EncoderSettings(pooling="mean", max_length=32)
    encoder = tiny_encoder(plain_folder, settings)
    others = [
        tiny_encoder(plain_folder, replace(settings, pooling="cls")),
        tiny_encoder(plain_folder, replace(settings, prompts={"query": "what is "})),
        tiny_encoder(plain_folder, replace(settings, normalize=True)),
        tiny_encoder(plain_folder, replace(settings, similarity="dot")),
        tiny_encoder(plain_folder, replace(settings, query_max_length=8)),
    ]
    changed = tiny_encoder(plain_folder, settings)
    with torch.no_grad():
        next(changed.parameters()).view(-1)[100] += 1e-3
    assert len({each.fingerprint for each in [encoder, changed, *others]}) == 7


def test_bf16_embeddings_are_close_to_fp32_and_stored_as_float32(model_folder: Path) -> None:
    half = Encoder.load(model_folder, device="cpu", precision="bf16").encode(TEXTS)
    assert half.dtype == np.float32
    full = load(model_folder).encode(TEXTS)
    assert 0 < np.abs(half - full).max() < 0.1


def test_many_cut_texts_are_a_warning(encoder: Encoder, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):  # shards of a corpus
            encoder.encode(["the cat " * 40] * 3 + ["snow"] * 27)
    assert caplog.messages == ["10 % of 30 texts are longer than the model's maximum length and were cut"]


def test_a_string_instead_of_a_list_is_refused(encoder: Encoder) -> None:
    with pytest.raises(TypeError, match="encode takes a list of texts, got one string"):
        encoder.encode("the cat")


def test_a_plain_folder_needs_a_pooling(plain_folder: Path) -> None:
    with pytest.raises(InputError) as error:
        load(plain_folder)
    expected = f"model '{plain_folder}' does not say how it pools: pass --pooling (cls or mean, see its card)"
    assert str(error.value) == expected
    assert load(plain_folder, pooling="cls").settings.pooling == "cls"


def test_a_pooling_that_contradicts_the_folder_is_refused(model_folder: Path) -> None:
    with pytest.raises(InputError) as error:
        load(model_folder, pooling="cls")
    assert (
        str(error.value) == f"model '{model_folder}' pools by mean, not cls: --pooling mean, or another model"
    )


def test_a_length_beyond_the_position_embeddings_is_refused(model_folder: Path) -> None:
    with pytest.raises(InputError) as error:
        load(model_folder, max_length=65)
    assert str(error.value) == f"max length 65 is more than model '{model_folder}' takes (64 tokens)"


def test_a_folder_without_weights_is_refused(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(InputError) as error:
        load(folder)
    expected = (
        "no weights in safetensors format (pickled ones are not read): the README says how to convert them"
    )
    assert str(error.value) == f"{folder}: {expected}"


def test_missing_weights_are_an_error_and_not_random(model_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError) as error:
        load(folder)
    expected = (
        "weights are missing or of another shape, they would be random: encoder.layer.1.output.dense.weight …"
    )
    assert str(error.value) == f"{folder}: {expected}"


def test_a_length_for_training_beyond_the_position_embeddings_is_refused(encoder: Encoder) -> None:
    with pytest.raises(InputError, match="max length 65 is more than model"):
        encoder.tokenize(["the cat"], max_length=65)
