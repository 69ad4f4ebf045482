"""DPR's and SimCSE's checkpoints against the forward of the programs that made them."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertModel,
    BertTokenizer,
    DPRConfig,
    DPRContextEncoder,
    DPRQuestionEncoder,
    DPRReader,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import Encoder
from retriever.errors import InputError
from retriever.records import Passage

TEXTS = ["the cat sat on the mat", "snow", "the old king plays the piano in the park", "a red car"]
SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}


@pytest.fixture
def tokenizer(plain_folder: Path) -> BertTokenizer:
    return BertTokenizer.from_pretrained(plain_folder)


def load(folder: Path, **options: object) -> Encoder:
    return Encoder.load(folder, device="cpu", precision="fp32", **options)


def load_two(*folders: Path, **options: object) -> DualEncoder:
    return DualEncoder.load(*folders, device="cpu", precision="fp32", **options)


def edit_config(folder: Path, **values: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def edit_weights(folder: Path, *, without: str = "no such weight", **added: torch.Tensor) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: each for name, each in weights.items() if without not in name}
    save_file({**kept, **added}, folder / "model.safetensors", metadata={"format": "pt"})


def message_of(folder: Path, **options: object) -> str:
    with pytest.raises(InputError) as error:
        load(folder, **options)
    return str(error.value)


# DPR --------------------------------------------------------------------------------------------------------------------


def save_dpr(
    kind: type[PreTrainedModel], folder: Path, tokenizer: BertTokenizer, *, seed: int = 0, **config: int
) -> PreTrainedModel:
    torch.manual_seed(seed)
    model = kind(DPRConfig(vocab_size=len(tokenizer), **{**SIZE, **config})).eval()
    with torch.no_grad():
        for name, each in model.named_parameters():  # initialised biases are 0 and would hide a projection's
            if name.endswith("bias"):
                each.normal_(std=0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


@torch.no_grad()
def dpr_reference(model: PreTrainedModel, tokenizer: BertTokenizer, *pairs: tuple[str, ...]) -> np.ndarray:
    """The model's own output, text by text; both halves of a pair have segment id 0, as in DPR's own code."""
    rows = [tokenizer(*pair, return_token_type_ids=False, return_tensors="pt") for pair in pairs]
    return torch.cat([model(**row).pooler_output for row in rows]).numpy()


@pytest.fixture
def two(tmp_path: Path, tokenizer: BertTokenizer) -> tuple[Path, Path]:
    """Folders of a question and of a context encoder with other weights."""
    save_dpr(DPRQuestionEncoder, tmp_path / "question", tokenizer, seed=1)
    save_dpr(DPRContextEncoder, tmp_path / "context", tokenizer, seed=2)
    return tmp_path / "question", tmp_path / "context"


@pytest.mark.parametrize("projection_dim", [0, 16])
@pytest.mark.parametrize("kind", [DPRQuestionEncoder, DPRContextEncoder])
def test_a_dpr_encoder_gives_what_transformers_gives_and_so_does_what_is_saved_of_it(
    kind: type[PreTrainedModel], projection_dim: int, tmp_path: Path, tokenizer: BertTokenizer
) -> None:
    model = save_dpr(kind, tmp_path / "dpr", tokenizer, projection_dim=projection_dim)
    expected = dpr_reference(model, tokenizer, *[(text,) for text in TEXTS])
    encoder = load(tmp_path / "dpr")
    assert expected.shape == (4, projection_dim or 32)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)
    encoder.save(tmp_path / "saved")
    again = load(tmp_path / "saved")
    assert again.settings == encoder.settings
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))
    other = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(other.encode(TEXTS), expected, atol=1e-5)
    assert other.similarity_fn_name == "dot"


@pytest.mark.parametrize(("positions", "expected"), [(64, 64), (300, 256)])
def test_a_dpr_folder_declares_itself(
    positions: int, expected: int, tmp_path: Path, tokenizer: BertTokenizer
) -> None:
    tokenizer.model_max_length = positions
    save_dpr(DPRContextEncoder, tmp_path / "dpr", tokenizer, max_position_embeddings=positions)
    settings = load(tmp_path / "dpr").settings
    assert (settings.pooling, settings.similarity, settings.normalize) == ("cls", "dot", False)
    assert (settings.passage_format, settings.role) == ("pair", "passage")
    assert (settings.max_length, settings.query_max_length) == (expected, None)
    assert message_of(tmp_path / "dpr", pooling="mean").endswith(
        "pools by cls, not mean: --pooling cls, or another model"
    )
    assert load(tmp_path / "dpr", pooling="cls").settings == settings


def test_two_dpr_folders_are_one_dual_encoder_and_each_embeds_its_own_kind(
    two: tuple[Path, Path], tmp_path: Path, tokenizer: BertTokenizer, passages: list[Passage]
) -> None:
    model = load_two(*two)
    question = DPRQuestionEncoder.from_pretrained(two[0]).eval()
    context = DPRContextEncoder.from_pretrained(two[1]).eval()
    queries = dpr_reference(question, tokenizer, *[(text,) for text in TEXTS])
    embeddings = dpr_reference(context, tokenizer, *[(each.title, each.text) for each in passages])
    np.testing.assert_allclose(model.encode_queries(TEXTS), queries, atol=1e-5)
    np.testing.assert_allclose(model.encode_passages(passages), embeddings, atol=1e-5)
    assert model.describe().startswith(f"two encoders, questions: {two[0]}, passages: {two[1]}: cls pooling")
    model.save(tmp_path / "saved")
    again = load_two(tmp_path / "saved")
    assert again.fingerprint == model.fingerprint
    np.testing.assert_array_equal(again.encode_passages(passages), model.encode_passages(passages))
    mixed = load_two(two[0], tmp_path / "saved")  # of a dual encoder's folder, the half that is asked for
    assert mixed.fingerprint == model.fingerprint


def test_an_encoder_is_not_used_for_what_it_is_not_made_for(two: tuple[Path, Path], tmp_path: Path) -> None:
    question, context = two
    load_two(*two).save(tmp_path / "saved")
    half = tmp_path / "saved" / "query"
    only = {
        "questions": "name the passages' encoder with --passage-model",
        "passages": "name the questions' encoder with --model, and this one with --passage-model",
    }
    cases = {
        (question,): (question, "questions"),
        (context,): (context, "passages"),
        (context, question): (context, "passages"),
        (question, question): (question, "questions"),
        (context, context): (context, "passages"),
        (half,): (half, "questions"),
        (question, half): (half, "questions"),
    }
    for folders, (wrong, kind) in cases.items():
        with pytest.raises(InputError) as error:
            load_two(*folders)
        expected = f"model '{wrong}' is one of two encoders and embeds {kind} only: {only[kind]}"
        assert str(error.value) == expected


def test_one_encoder_trained_for_both_is_made_for_both(two: tuple[Path, Path], tmp_path: Path) -> None:
    DualEncoder(load(two[0])).save(tmp_path / "saved")
    assert load_two(tmp_path / "saved").shared


def test_two_models_of_other_similarities_are_refused(two: tuple[Path, Path], model_folder: Path) -> None:
    with pytest.raises(InputError) as error:
        load_two(two[0], model_folder)
    assert str(error.value) == "the question encoder's similarity is dot, the passage encoder's cosine"


def test_a_pooler_that_dpr_never_used_is_left_out_without_a_word(
    two: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    expected = load(two[0]).encode(TEXTS)
    pooler = "question_encoder.bert_model.pooler.dense"  # facebook's first checkpoints have one
    edit_weights(two[0], **{f"{pooler}.weight": torch.ones(32, 32), f"{pooler}.bias": torch.ones(32)})
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(load(two[0]).encode(TEXTS), expected)
    assert caplog.messages == []


def test_a_cased_dpr_encoder_stays_cased(two: tuple[Path, Path], plain_folder: Path) -> None:
    vocabulary = (plain_folder / "vocab.txt").read_text().replace("\nsnow\n", "\nsnow\nSnow\n")
    for each in ("tokenizer.json", "vocab.txt"):
        (two[0] / each).unlink(missing_ok=True)
    (two[0] / "vocab.txt").write_text(vocabulary)
    named = {"tokenizer_class": "DPRQuestionEncoderTokenizer", "model_max_length": 64}
    for lower in (False, True):
        (two[0] / "tokenizer_config.json").write_text(json.dumps({**named, "do_lower_case": lower}))
        ids = load(two[0]).tokenize(["Snow"]).ids.tolist()
        assert (ids == load(two[0]).tokenize(["snow"]).ids.tolist()) == lower


def test_dpr_weights_in_shards_are_read(tmp_path: Path, tokenizer: BertTokenizer) -> None:
    model = save_dpr(DPRQuestionEncoder, tmp_path / "dpr", tokenizer, projection_dim=8)
    (tmp_path / "dpr" / "model.safetensors").unlink()
    model.save_pretrained(tmp_path / "dpr", max_shard_size="20KB")
    assert not (tmp_path / "dpr" / "model.safetensors").exists()
    expected = dpr_reference(model, tokenizer, *[(text,) for text in TEXTS])
    np.testing.assert_allclose(load(tmp_path / "dpr").encode(TEXTS), expected, atol=1e-5)


def test_question_encoder_weights_in_a_context_encoders_folder_are_refused(two: tuple[Path, Path]) -> None:
    shutil.copy(two[0] / "model.safetensors", two[1] / "model.safetensors")
    assert message_of(two[1]) == (
        f"{two[1]}: config.json declares a DPRContextEncoder, whose weights begin with ctx_encoder, "
        "but the weights here begin with question_encoder"
    )


def test_a_dpr_folder_that_lacks_or_hides_something_is_refused(two: tuple[Path, Path]) -> None:
    question, context = two
    edit_config(question, projection_dim=8)
    assert message_of(question) == (
        f"{question}: config.json declares projection_dim 8, the folder has no weights for it"
    )
    edit_config(question, projection_dim=0)
    edit_weights(question, **{"question_encoder.encode_proj.weight": torch.ones(8, 32)})
    assert message_of(question) == (
        f"{question}: config.json declares projection_dim 0, "
        "the folder has weights of one (question_encoder.encode_proj)"
    )
    edit_weights(context, without="layer.1.output.dense.weight")
    assert message_of(context) == (
        f"{context}: weights are missing or of another shape, they would be random: "
        "encoder.layer.1.output.dense.weight …"
    )


def test_dprs_reader_is_no_encoder(tmp_path: Path, tokenizer: BertTokenizer) -> None:
    save_dpr(DPRReader, tmp_path / "reader", tokenizer)
    assert message_of(tmp_path / "reader") == (
        f"{tmp_path / 'reader'}: DPRReader is no encoder of texts (DPRQuestionEncoder and DPRContextEncoder are)"
    )


@pytest.mark.parametrize("name", ["max_position_embeddings", "projection_dim"])
def test_a_dpr_config_with_words_for_numbers_is_refused(name: str, two: tuple[Path, Path]) -> None:
    edit_config(two[0], **{name: "many"})
    assert message_of(two[0]) == f"{two[0] / 'config.json'}: {name} must be a whole number, got 'many'"


# SimCSE -----------------------------------------------------------------------------------------------------------------

FAMILIES = {"bert": (BertModel, BertConfig), "roberta": (RobertaModel, RobertaConfig)}
ARCHITECTURE = {"bert": "BertForCL", "roberta": "RobertaForCL"}


def simcse_parts(family: str, tokenizer: BertTokenizer) -> tuple[PreTrainedModel, nn.Linear]:
    """A transformer and SimCSE's MLP over it."""
    torch.manual_seed(3)
    model, config = FAMILIES[family]
    transformer = model(
        config(vocab_size=len(tokenizer), pad_token_id=0, **SIZE), add_pooling_layer=False
    ).eval()
    return transformer, nn.Linear(32, 32)


def save_raw_simcse(folder: Path, family: str, tokenizer: BertTokenizer) -> tuple[PreTrainedModel, nn.Linear]:
    """What SimCSE's training script leaves: the transformer under its prefix, the MLP, and a head for words."""
    transformer, mlp = simcse_parts(family, tokenizer)
    folder.mkdir(parents=True)
    transformer.config.architectures = [ARCHITECTURE[family]]
    transformer.config.save_pretrained(folder)
    weights = {f"{family}.{name}": each for name, each in transformer.state_dict().items()}
    weights |= {f"mlp.dense.{name}": each.detach() for name, each in mlp.state_dict().items()}
    weights |= {"lm_head.bias": torch.ones(len(tokenizer)), "lm_head.dense.weight": torch.ones(32, 32)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save_pretrained(folder)
    return transformer, mlp


def save_converted_simcse(
    folder: Path, family: str, tokenizer: BertTokenizer
) -> tuple[PreTrainedModel, nn.Linear]:
    """What is on the hub: a base model whose pooler is the MLP."""
    transformer, mlp = simcse_parts(family, tokenizer)
    model, _ = FAMILIES[family]
    pooled = model(transformer.config).eval()
    pooled.load_state_dict(
        {
            **transformer.state_dict(),
            **{f"pooler.dense.{name}": each for name, each in mlp.state_dict().items()},
        }
    )
    pooled.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return transformer, mlp


@torch.no_grad()
def simcse_reference(
    transformer: PreTrainedModel, mlp: nn.Linear, tokenizer: BertTokenizer, *, with_mlp: bool
) -> np.ndarray:
    rows = [tokenizer(text, return_token_type_ids=False, return_tensors="pt") for text in TEXTS]
    first = torch.cat([transformer(**row).last_hidden_state[:, 0] for row in rows])
    return (torch.tanh(mlp(first)) if with_mlp else first).numpy()


@pytest.mark.parametrize("with_mlp", [True, False])
@pytest.mark.parametrize("save", [save_raw_simcse, save_converted_simcse])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_simcse_checkpoint_embeds_with_its_mlp_or_without_as_asked_and_so_does_what_is_saved_of_it(
    family: str, save: object, with_mlp: bool, tmp_path: Path, tokenizer: BertTokenizer
) -> None:
    folder = tmp_path / "result"  # names neither family: SimCSE's own code looks for "bert" in the path
    expected = simcse_reference(*save(folder, family, tokenizer), tokenizer, with_mlp=with_mlp)
    encoder = load(folder, pooling="cls_head" if with_mlp else "cls")
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)
    encoder.save(tmp_path / "saved")
    again = load(tmp_path / "saved")
    assert again.settings == encoder.settings
    assert again.settings.pooling == "cls"
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))
    other = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(other.encode(TEXTS), expected, atol=1e-5)
    if with_mlp:
        assert load(tmp_path / "saved", pooling="cls_head").fingerprint == encoder.fingerprint
    else:
        assert message_of(tmp_path / "saved", pooling="cls_head").endswith(
            "pools by cls, not cls_head: --pooling cls, or another model"
        )


def test_the_folders_name_decides_nothing(tmp_path: Path, tokenizer: BertTokenizer) -> None:
    parts = save_raw_simcse(tmp_path / "my-bert-base", "roberta", tokenizer)
    expected = simcse_reference(*parts, tokenizer, with_mlp=True)
    encoder = load(tmp_path / "my-bert-base", pooling="cls_head")
    assert type(encoder.transformer) is RobertaModel
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)


def test_a_raw_simcse_checkpoint_wants_to_be_told_whether_its_mlp_is_used(
    tmp_path: Path, tokenizer: BertTokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "result"
    save_raw_simcse(folder, "bert", tokenizer)
    assert message_of(folder) == (
        f"model '{folder}' was trained with SimCSE's MLP and does not say whether it embeds with it: pass --pooling "
        "cls_head (with it, as supervised SimCSE does) or cls (without it, as unsupervised SimCSE does)"
    )
    with caplog.at_level(logging.INFO):
        load(folder, pooling="cls")
    assert caplog.messages == [f"{folder}: the MLP that it was trained with is left out (--pooling cls)"]


def test_a_head_that_is_not_there_cannot_be_asked_for(
    plain_folder: Path, model_folder: Path, tmp_path: Path, tokenizer: BertTokenizer
) -> None:
    no_mlp = "has no MLP over [CLS] (mlp.dense, or a base model's pooler.dense): pass --pooling cls or mean"
    assert message_of(plain_folder, pooling="cls_head") == f"model '{plain_folder}' {no_mlp}"
    assert message_of(model_folder, pooling="cls_head").endswith(
        "pools by mean, not cls_head: --pooling mean, or another model"
    )
    folder = tmp_path / "pretrained"  # its pooler was made for next sentences, not for embeddings
    BertForPreTraining(BertConfig(vocab_size=len(tokenizer), **SIZE)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    assert message_of(folder, pooling="cls_head") == f"model '{folder}' {no_mlp}"


def test_an_mlp_without_its_weights_is_an_input_error(tmp_path: Path, tokenizer: BertTokenizer) -> None:
    save_raw_simcse(tmp_path / "result", "bert", tokenizer)
    edit_weights(tmp_path / "result", without="mlp.dense.weight", **{"mlp.dense.weight": torch.ones(32)})
    assert "not the weights of a linear layer" in message_of(tmp_path / "result", pooling="cls_head")


# Any folder -------------------------------------------------------------------------------------------------------------


def test_heads_for_other_tasks_are_left_out_without_a_word(
    tmp_path: Path, tokenizer: BertTokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    BertForPreTraining(BertConfig(vocab_size=len(tokenizer), **SIZE)).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    with caplog.at_level(logging.INFO):
        load(tmp_path / "model", pooling="cls")
    assert caplog.messages == []


def test_weights_that_nobody_knows_are_named(
    plain_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(plain_folder, tmp_path / "model"))
    edit_weights(folder, **{"linear.weight": torch.ones(8, 32)})  # ColBERT's projection
    load(folder, pooling="cls")
    assert caplog.messages == [f"{folder}: weights that embeddings are made without: linear.weight"]


def test_a_layer_that_the_config_has_no_place_for_is_refused(plain_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(plain_folder, tmp_path / "model"))
    edit_config(folder, num_hidden_layers=1)
    assert message_of(folder, pooling="cls") == (
        f"{folder}: config.json has no place for some of the weights: "
        "encoder.layer.1.attention.output.LayerNorm.bias …"
    )


def test_a_folder_without_a_tokenizer_is_refused(plain_folder: Path, two: tuple[Path, Path]) -> None:
    for folder in two[0], Path(shutil.copytree(plain_folder, two[0].parent / "plain")):
        for each in ("tokenizer.json", "vocab.txt"):
            (folder / each).unlink(missing_ok=True)
        expected = f"{folder}: no tokenizer (none of tokenizer.json, vocab.txt)"
        assert message_of(folder, pooling="cls") == expected
