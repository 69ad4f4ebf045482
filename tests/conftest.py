"""Small real parts for every test: a seeded two-layer BERT with a word list of its own, and a corpus of a few passages."""

from pathlib import Path

import pytest
import torch
from hypothesis import settings
from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizerFast

from retriever.encoding.encoder import Encoder
from retriever.encoding.model_folder import EncoderSettings
from retriever.records import Passage
from tests.tiny import tiny_encoder

WORDS = """the a an of in on is was are who what when where how does do did and to by for with from it its
cat cats dog dogs sat mat ran park red blue green car drives fast slow river paris france capital city tower tall
water boils hundred degrees cook soup salt pan moon orbits earth sun star bright night music plays piano old king queen
one two three four five six seven eight nine ten bird sings tree leaf falls autumn winter snow cold warm summer""".split()

settings.register_profile("no deadline", deadline=None)  # a busy machine is no failure
settings.load_profile("no deadline")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a model hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain Hugging Face folder: transformer and tokenizer, and no word on pooling."""
    folder = tmp_path_factory.mktemp("plain")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "?", ":", *dict.fromkeys(WORDS)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64)
    torch.manual_seed(0)
    transformer = BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=64,
        ),
        add_pooling_layer=False,
    )
    transformer.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def mlm_folder(plain_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same architecture with the head of a masked language model."""
    folder = tmp_path_factory.mktemp("mlm")
    torch.manual_seed(0)
    BertForMaskedLM(BertConfig.from_pretrained(plain_folder)).save_pretrained(folder)
    BertTokenizerFast.from_pretrained(plain_folder).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def model_folder(plain_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same encoder with mean pooling, saved as a sentence-transformers folder."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tiny_encoder(plain_folder, EncoderSettings(pooling="mean", max_length=32)).save(folder)
    return folder


@pytest.fixture
def encoder(model_folder: Path) -> Encoder:
    """The tiny encoder in evaluation mode, fp32 on the CPU."""
    return Encoder.load(model_folder, device="cpu", precision="fp32")


@pytest.fixture
def passages() -> list[Passage]:
    """Ten short passages with titles."""
    texts = [
        ("cat", "the cat sat on the mat"),
        ("dog", "the dog ran in the park"),
        ("car", "a red car drives fast"),
        ("paris", "paris is the capital city of france with a tall tower"),
        ("water", "water boils at a hundred degrees"),
        ("soup", "cook the soup with salt in a pan"),
        ("moon", "the moon orbits the earth"),
        ("piano", "the old king plays the piano"),
        ("bird", "a bird sings in the tree"),
        ("snow", "snow falls in the cold winter"),
    ]
    return [Passage(f"p{number}", text, title) for number, (title, text) in enumerate(texts)]
