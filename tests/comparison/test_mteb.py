"""``mteb.evaluate`` gives our own numbers, on tasks that are made here: no network."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

mteb = pytest.importorskip("mteb", minversion="2.0")

from datasets import Dataset, DatasetDict
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.sts import AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata

from retriever.choices import PassageFormat
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.model_folder import EncoderSettings
from retriever.errors import InputError
from retriever.evaluation.mteb_model import MtebModel
from retriever.evaluation.retrieval import evaluate_rankings
from retriever.evaluation.sts import evaluate_sts
from retriever.records import Passage, Ranking, SentencePair, StsTask
from tests.conftest import WORDS
from tests.tiny import tiny_encoder

generator = random.Random(0)


def sentence() -> str:
    return " ".join(generator.choices(WORDS, k=generator.randint(2, 7)))


PAIRS = [SentencePair(sentence(), sentence(), generator.uniform(0, 5)) for _ in range(60)]
PASSAGES = [Passage(f"p{number}", sentence(), sentence() if number % 3 else "") for number in range(40)]
QUESTIONS = {f"q{number}": sentence() for number in range(20)}
QRELS = {each: {one.id: 1 for one in generator.sample(PASSAGES, 2)} for each in QUESTIONS}


def metadata(kind: str, name: str, main_score: str) -> TaskMetadata:
    return TaskMetadata(
        name=name, type=kind, main_score=main_score, description="made in a test", reference=None,
        dataset={"path": "none", "revision": "none"}, category="t2t", modalities=["text"], eval_splits=["test"],
        eval_langs=["eng-Latn"], date=None, domains=None, task_subtypes=None, license=None, annotations_creators=None,
        dialect=None, sample_creation=None, bibtex_citation="",
    )  # fmt: skip


class MadeSts(AbsTaskSTS):
    metadata = metadata("STS", "MadeSts", "cosine_spearman")

    def load_data(self, *rest: object, **more: object) -> None:
        columns = {
            "sentence1": [each.first for each in PAIRS],
            "sentence2": [each.second for each in PAIRS],
            "score": [each.score for each in PAIRS],
        }
        self.dataset = DatasetDict({"test": Dataset.from_dict(columns)})
        self.data_loaded = True


class MadeRetrieval(AbsTaskRetrieval):
    metadata = metadata("Retrieval", "MadeRetrieval", "ndcg_at_10")

    def load_data(self, *rest: object, **more: object) -> None:
        corpus = [{"id": each.id, "title": each.title, "text": each.text} for each in PASSAGES]
        queries = [{"id": name, "text": text} for name, text in QUESTIONS.items()]
        split = {
            "corpus": Dataset.from_list(corpus),
            "queries": Dataset.from_list(queries),
            "relevant_docs": QRELS,
            "top_ranked": None,
        }
        self.dataset = {"default": {"test": split}}
        self.data_loaded = True


def scores(model: MtebModel, task: mteb.AbsTask) -> dict[str, float]:
    """By mteb."""
    found = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False)
    return found.task_results[0].scores["test"][0]


def saved(plain_folder: Path, folder: Path, **settings: object) -> Path:
    values = {
        "pooling": "mean",
        "max_length": 32,
        "prompts": {"query": "who ", "passage": "the "},
        **settings,
    }
    tiny_encoder(plain_folder, EncoderSettings(**values)).save(folder)
    return folder


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_sts_is_ours(plain_folder: Path, tmp_path: Path, similarity: str) -> None:
    folder = saved(plain_folder, tmp_path / "model", similarity=similarity)
    model = MtebModel(str(folder), device="cpu", precision="fp32")
    found = scores(model, MadeSts())
    encode = DualEncoder.load(folder, device="cpu", precision="fp32").query.encode
    names = {"spearman": similarity, "cosine_spearman": "cosine", "euclidean_spearman": "euclidean", "manhattan_spearman": "manhattan"}  # fmt: skip
    for name, kind in names.items():
        ours = evaluate_sts(encode, StsTask("made", {"made": PAIRS}), similarity=kind)
        assert 100 * found[name] == pytest.approx(ours["spearman_all"], abs=1e-4), name
        assert 100 * found[name.replace("spearman", "pearson")] == pytest.approx(
            ours["pearson_all"], abs=1e-4
        )


def by_hand(model: DualEncoder) -> dict[str, float]:
    """Two metrics of every question against every passage, by mteb's names."""
    matrix = model.encode_queries(list(QUESTIONS.values())) @ model.encode_passages(PASSAGES).T
    rankings = []
    for name, row in zip(QUESTIONS, matrix, strict=True):
        order = np.argsort(-row)
        rankings.append((name, Ranking([PASSAGES[each].id for each in order], row[order])))
    found = evaluate_rankings(rankings, qrels=QRELS, metrics=["ndcg@10", "recall@20"]).metrics
    return {"ndcg_at_10": found["ndcg@10"], "recall_at_20": found["recall@20"]}


@pytest.mark.parametrize("passage_format", ["pair", "{title}. {text}", "{text}"])
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_retrieval_is_ours_with_our_prompts_and_passage_format(
    plain_folder: Path, tmp_path: Path, similarity: str, passage_format: PassageFormat
) -> None:
    folder = saved(plain_folder, tmp_path / "model", similarity=similarity, passage_format=passage_format)
    found = scores(MtebModel(str(folder), device="cpu", precision="fp32"), MadeRetrieval())
    for name, value in by_hand(DualEncoder.load(folder, device="cpu", precision="fp32")).items():
        assert found[name] == pytest.approx(value, abs=1e-4)


def test_two_encoders_embed_questions_and_passages_and_nothing_else(
    plain_folder: Path, tmp_path: Path
) -> None:
    settings = EncoderSettings(pooling="mean", max_length=32, similarity="dot")
    first, second = (tiny_encoder(plain_folder, settings) for _ in range(2))
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in second.parameters():
            each += 0.05 * torch.randn(each.shape, generator=noise)
    DualEncoder(first, second).save(tmp_path / "model")
    model = MtebModel(str(tmp_path / "model"), device="cpu", precision="fp32")
    found, ours = scores(model, MadeRetrieval()), by_hand(model.model)
    swapped = by_hand(DualEncoder(model.model.passage, model.model.query))
    for name, value in ours.items():
        assert found[name] == pytest.approx(value, abs=1e-4)
        assert abs(value - swapped[name]) > 0.01
    with pytest.raises(InputError, match="MadeSts has texts of one kind, and this model has an encoder each"):
        scores(model, MadeSts())


def test_the_revision_is_the_fingerprint(model_folder: Path) -> None:
    meta = MtebModel(str(model_folder), device="cpu", precision="fp32").mteb_model_meta
    assert meta.revision == DualEncoder.load(model_folder, device="cpu").fingerprint
    assert (meta.name, meta.embed_dim, meta.max_tokens) == ("ctl/tiny", 32, 32)
