"""The loss is transformers' own, the decoder stays tied, and masks are BERT's."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    MPNetConfig,
    MPNetForMaskedLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from retriever.encoding.encoder import Encoder
from retriever.encoding.masked_language_model import IGNORED, MaskedLanguageModel, mask_tokens
from retriever.encoding.tokens import Tokens
from retriever.errors import InputError

TEXTS = [
    "the cat sat on the mat",
    "snow",
    "the old king plays the piano in the park",
    "a red car drives fast , what is it ?",
    "the moon orbits the earth and the earth orbits the sun",
]
SIZES = {
    "vocab_size": 128,  # more rows than the tokenizer has words, as some checkpoints have
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
REMEDY = "leave out --mlm, or take a checkpoint that was trained as a masked language model, such as bert-base-uncased"


def checkpoint(architecture: str) -> PreTrainedModel:
    torch.manual_seed(0)
    if architecture == "distilbert":
        sizes = {"vocab_size": 128, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
        return DistilBertForMaskedLM(DistilBertConfig(**sizes, max_position_embeddings=64))
    model, config = {
        "bert": (BertForMaskedLM, BertConfig),
        "roberta": (RobertaForMaskedLM, RobertaConfig),
        "mpnet": (MPNetForMaskedLM, MPNetConfig),
    }[architecture]
    return model(config(**SIZES))


def saved(model: PreTrainedModel, plain_folder: Path, folder: Path) -> Path:
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(plain_folder).save_pretrained(folder)
    return folder


def loaded(folder: Path) -> MaskedLanguageModel:
    encoder = Encoder.load(folder, pooling="cls", device="cpu", precision="fp32")
    return MaskedLanguageModel.load(encoder, folder)


@pytest.fixture
def bert_folder(plain_folder: Path, tmp_path: Path) -> Path:
    return saved(checkpoint("bert"), plain_folder, tmp_path / "bert")


def masked_texts(model: MaskedLanguageModel, seed: int = 3) -> tuple[Tokens, torch.Tensor]:
    tokens, labels = model.mask(model.encoder.tokenize(TEXTS), torch.Generator().manual_seed(seed))
    assert 3 <= int((labels != IGNORED).sum()) < len(labels) / 2
    return tokens, labels


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "mpnet"])
@pytest.mark.parametrize("packed", [True, False])
def test_the_loss_and_its_gradients_are_those_of_transformers(
    architecture: str, packed: bool, plain_folder: Path, tmp_path: Path
) -> None:
    folder = saved(checkpoint(architecture), plain_folder, tmp_path / "model")
    model = loaded(folder)
    if not packed:
        model.encoder.transformer.set_attn_implementation("sdpa")
        model.encoder.position_offset = None
    tokens, labels = masked_texts(model)
    loss = model.loss_sum(tokens, labels) / int((labels != IGNORED).sum())
    loss.backward()

    reference = AutoModelForMaskedLM.from_pretrained(folder).eval()
    ids, mask = tokens.padded(0)
    padded_labels, _ = Tokens(labels, tokens.offsets).padded(IGNORED)
    expected = reference(input_ids=ids, attention_mask=mask.long(), labels=padded_labels).loss
    expected.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    transformer = getattr(reference, reference.base_model_prefix)
    compared = 0
    for ours, theirs in [(model.encoder.transformer, transformer), (model.head, reference)]:
        named = dict(theirs.named_parameters(remove_duplicate=False))
        for name, each in ours.named_parameters():
            if name in named and named[name].grad is not None:
                assert torch.allclose(each.grad, named[name].grad, atol=1e-5), name
                compared += 1
    assert compared == sum(each.grad is not None for each in reference.parameters()) + 1  # the tied one twice


@pytest.mark.parametrize("architecture", ["bert", "roberta"])
def test_the_decoder_stays_the_encoders_word_embeddings(
    architecture: str, plain_folder: Path, tmp_path: Path
) -> None:
    model = loaded(saved(checkpoint(architecture), plain_folder, tmp_path / "model")).train()
    words = model.encoder.transformer.get_input_embeddings().weight
    decoder = model.head.get_output_embeddings()
    assert decoder.weight is words
    before, bias = words.detach().clone(), decoder.bias.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model.loss_sum(*masked_texts(model)).backward()
    optimizer.step()
    assert not torch.equal(words, before)
    assert not torch.equal(decoder.bias, bias)
    assert torch.equal(model.head.get_output_embeddings().weight, words)
    assert model.encoder.transformer.get_input_embeddings().weight is words


def test_an_encoder_trained_further_has_its_own_words_in_the_head(bert_folder: Path) -> None:
    encoder = Encoder.load(bert_folder, pooling="cls", device="cpu", precision="fp32")
    with torch.no_grad():
        encoder.transformer.get_input_embeddings().weight.mul_(2)
    words = encoder.transformer.get_input_embeddings().weight.detach().clone()
    model = MaskedLanguageModel.load(encoder, bert_folder)
    assert torch.equal(model.head.get_output_embeddings().weight, words)
    assert torch.equal(encoder.transformer.get_input_embeddings().weight, words)


def test_parameters_are_the_encoders_and_the_heads_each_once(bert_folder: Path) -> None:
    model = loaded(bert_folder)
    found = [id(each) for each in model.parameters()]
    reference = AutoModelForMaskedLM.from_pretrained(bert_folder)
    assert len(found) == len(set(found)) == len(list(reference.parameters()))
    assert {id(each) for each in model.encoder.parameters()} < set(found)
    assert all(each.requires_grad for each in model.parameters())


def test_state_dict_restores_encoder_and_head(bert_folder: Path) -> None:
    model = loaded(bert_folder)
    with torch.no_grad():
        for each in model.parameters():
            each.add_(torch.randn(each.shape) * 0.1)
    other = loaded(bert_folder)
    tokens, labels = masked_texts(model)
    expected = model.loss_sum(tokens, labels)
    assert not torch.allclose(other.loss_sum(tokens, labels), expected, atol=1e-2)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.loss_sum(tokens, labels), expected)
    assert (
        other.head.get_output_embeddings().weight is other.encoder.transformer.get_input_embeddings().weight
    )


def test_sums_of_the_parts_add_up_to_the_sum_of_the_whole(bert_folder: Path) -> None:
    model = loaded(bert_folder)
    tokens, labels = masked_texts(model)
    parts = list(tokens.split(14))
    assert len(parts) > 2
    expected = labels.split([len(each.ids) for each in parts])
    total = sum(model.loss_sum(part, each) for part, each in zip(parts, expected, strict=True))
    assert total.item() == pytest.approx(model.loss_sum(tokens, labels).item(), rel=1e-6)


def test_where_nothing_is_masked_loss_and_gradients_are_zero(bert_folder: Path) -> None:
    model = loaded(bert_folder)
    tokens = model.encoder.tokenize(TEXTS)
    loss = model.loss_sum(tokens, torch.full_like(tokens.ids, IGNORED))
    loss.backward()
    assert loss.item() == 0.0
    assert all(
        each.grad is not None and not each.grad.any() for each in model.encoder.transformer.parameters()
    )
    assert all(each.grad is not None and not each.grad.any() for each in model.head.parameters())


def test_in_bf16_the_loss_is_close_to_that_in_fp32(bert_folder: Path) -> None:
    model = loaded(bert_folder)
    tokens, labels = masked_texts(model)
    full = model.loss_sum(tokens, labels)
    model.encoder.precision = "bf16"
    half = model.loss_sum(tokens, labels)
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().item() < 0.02 * full.item()


def test_the_encoder_is_saved_without_a_trace_of_the_head(bert_folder: Path, tmp_path: Path) -> None:
    encoder = Encoder.load(bert_folder, pooling="cls", device="cpu", precision="fp32")
    encoder.save(tmp_path / "before")
    fingerprint = encoder.fingerprint
    model = MaskedLanguageModel.load(encoder, bert_folder)
    assert encoder.fingerprint == fingerprint
    model.encoder.save(tmp_path / "after")
    files = sorted(
        file.relative_to(tmp_path / "before") for file in (tmp_path / "before").rglob("*") if file.is_file()
    )
    assert Path("model.safetensors") in files
    assert len(files) == sum(file.is_file() for file in (tmp_path / "after").rglob("*"))
    for file in files:
        assert (tmp_path / "after" / file).read_bytes() == (tmp_path / "before" / file).read_bytes(), file


def test_a_checkpoint_without_head_is_refused(model_folder: Path) -> None:
    encoder = Encoder.load(model_folder, device="cpu", precision="fp32")
    with pytest.raises(InputError) as error:
        MaskedLanguageModel.load(encoder, model_folder)
    assert str(error.value) == (
        f"model '{model_folder}' has no masked-language-model head: "
        f"cls.predictions.bias is not among its weights, or of another shape; {REMEDY}"
    )


def test_a_head_of_another_shape_is_refused(bert_folder: Path) -> None:
    encoder = Encoder.load(bert_folder, pooling="cls", device="cpu", precision="fp32")
    weights = load_file(bert_folder / "model.safetensors")
    weights["cls.predictions.transform.dense.weight"] = torch.zeros(16, 32)
    save_file(weights, bert_folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError) as error:
        MaskedLanguageModel.load(encoder, bert_folder)
    assert str(error.value) == (
        f"model '{bert_folder}' has no masked-language-model head: "
        f"cls.predictions.transform.dense.weight is not among its weights, or of another shape; {REMEDY}"
    )


def test_pickled_weights_are_not_read(bert_folder: Path) -> None:
    encoder = Encoder.load(bert_folder, pooling="cls", device="cpu", precision="fp32")
    torch.save(BertForMaskedLM(BertConfig(**SIZES)).state_dict(), bert_folder / "pytorch_model.bin")
    (bert_folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"has no masked-language-model head: .*model.safetensors"):
        MaskedLanguageModel.load(encoder, bert_folder)


def test_a_tokenizer_without_mask_token_is_refused(bert_folder: Path) -> None:
    encoder = Encoder.load(bert_folder, pooling="cls", device="cpu", precision="fp32")
    encoder.tokenizer.mask_token = None
    with pytest.raises(InputError) as error:
        MaskedLanguageModel.load(encoder, bert_folder)
    assert str(error.value) == (
        f"model '{bert_folder}' has no masked-language-model head: its tokenizer has no mask token; {REMEDY}"
    )


def test_a_head_that_needs_more_than_token_states_is_refused(plain_folder: Path, tmp_path: Path) -> None:
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16}
    config = BartConfig(
        vocab_size=128,
        **sizes,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        decoder_start_token_id=3,
        forced_eos_token_id=None,
    )
    folder = saved(BartForConditionalGeneration(config), plain_folder, tmp_path / "bart")
    with pytest.raises(InputError, match="has no masked-language-model head that runs on states alone"):
        loaded(folder)


def test_a_model_folder_with_its_transformer_in_a_subfolder_keeps_its_head(
    bert_folder: Path, model_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(model_folder, tmp_path / "nested"))
    for file in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / file).unlink()
    shutil.copytree(bert_folder, folder / "0_Transformer")
    modules = (folder / "modules.json").read_text().replace('"path": ""', '"path": "0_Transformer"')
    (folder / "modules.json").write_text(modules)
    model = MaskedLanguageModel.load(Encoder.load(folder, device="cpu", precision="fp32"), folder)
    expected = loaded(bert_folder)
    tokens, labels = masked_texts(model)
    assert torch.equal(model.loss_sum(tokens, labels), expected.loss_sum(tokens, labels))


def test_masks_have_berts_shares_and_leave_special_tokens_alone() -> None:
    count, vocabulary, mask_id, special_ids = 400_000, 1000, 4, [0, 1, 2, 3, 4]
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, vocabulary, (count,), generator=generator)
    ids[::10] = torch.randint(0, 5, (count // 10,), generator=generator)
    original = ids.clone()
    tokens = Tokens(ids, torch.tensor([0, 1000, count]), num_truncated=1)
    masked, labels = mask_tokens(
        tokens, mask_id=mask_id, vocabulary_size=vocabulary, special_ids=special_ids, generator=generator
    )
    assert torch.equal(tokens.ids, original)
    assert torch.equal(masked.offsets, tokens.offsets)
    assert masked.num_truncated == 1
    special, chosen = original < 5, labels != IGNORED
    assert not chosen[special].any()
    assert torch.equal(labels[chosen], original[chosen])
    assert torch.equal(masked.ids[~chosen], original[~chosen])

    def within(successes: int, of: int, share: float) -> bool:
        return abs(successes / of - share) < 4 * (share * (1 - share) / of) ** 0.5

    number = int(chosen.sum())
    assert within(number, int((~special).sum()), 0.15)
    became, was = masked.ids[chosen], original[chosen]
    # a random token is the mask or the token itself once in a vocabulary
    assert within(int((became == mask_id).sum()), number, 0.8 + 0.1 / vocabulary)
    assert within(int((became == was).sum()), number, 0.1 + 0.1 / vocabulary)
    random = became[(became != mask_id) & (became != was)]
    assert within(int((random < vocabulary // 2).sum()), len(random), 0.5)
    assert random.min() < 20
    assert random.max() > vocabulary - 20


def test_the_share_is_the_callers_and_masks_depend_on_the_generator_alone() -> None:
    tokens = Tokens(torch.arange(5, 1005), torch.tensor([0, 1000]))

    def drawn(seed: int, share: float) -> tuple[list[int], list[int]]:
        torch.rand(7)  # moves the global generator on
        masked, labels = mask_tokens(
            tokens,
            mask_id=4,
            vocabulary_size=1005,
            special_ids=[0],
            share=share,
            generator=torch.Generator().manual_seed(seed),
        )
        return masked.ids.tolist(), labels.tolist()

    assert drawn(1, 0.15) == drawn(1, 0.15) != drawn(2, 0.15)
    assert drawn(1, 1.0)[1] == tokens.ids.tolist()
    assert drawn(1, 0.0) == (tokens.ids.tolist(), [IGNORED] * 1000)
