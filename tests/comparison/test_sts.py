"""Our STS metrics beside sentence-transformers' evaluator and plain scipy, on the same sentences."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator

from cli.main import main
from retriever.encoding.encoder import Encoder
from retriever.evaluation.sts import evaluate_sts
from retriever.records import SentencePair, StsTask
from tests.conftest import WORDS

generator = random.Random(7)


def sentence() -> str:
    return " ".join(generator.choices(WORDS, k=generator.randint(2, 8)))


def pairs(count: int) -> list[SentencePair]:
    return [SentencePair(sentence(), sentence(), generator.randint(0, 10) / 2) for _ in range(count)]


TASK = StsTask("made", {"news": pairs(70), "forum": pairs(25), "images": pairs(40)})
ALL = [pair for subset in TASK.subsets.values() for pair in subset]


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean", "manhattan"])
def test_all_pairs_together_as_sentence_transformers_has_them(model_folder: Path, similarity: str) -> None:
    peer = EmbeddingSimilarityEvaluator(
        [each.first for each in ALL], [each.second for each in ALL], [each.score for each in ALL],
        similarity_fn_names=[similarity], write_csv=False,
    )(SentenceTransformer(str(model_folder), device="cpu"))  # fmt: skip
    encoder = Encoder.load(model_folder, device="cpu", precision="fp32")
    ours = evaluate_sts(encoder.encode, TASK, similarity=similarity)
    for name in ("spearman", "pearson"):
        assert ours[f"{name}_all"] == pytest.approx(100 * peer[f"{name}_{similarity}"], abs=0.01)


def test_the_three_aggregations_are_those_of_plain_scipy(model_folder: Path) -> None:
    encoder = Encoder.load(model_folder, device="cpu", precision="fp32")
    ours = evaluate_sts(encoder.encode, TASK)
    # the texts go in as ours do: an embedding depends, in the last bits, on what is encoded beside it
    texts = list(dict.fromkeys(text for pair in ALL for text in (pair.first, pair.second)))
    vectors = dict(zip(texts, encoder.encode(texts).astype(np.float64), strict=True))

    def columns(subset: list[SentencePair]) -> tuple[list[float], list[float]]:
        found = []
        for pair in subset:
            u, v = vectors[pair.first], vectors[pair.second]
            found.append(float(u @ v / np.sqrt((u @ u) * (v @ v))))
        return found, [pair.score for pair in subset]

    sizes = [len(subset) for subset in TASK.subsets.values()]
    for name, function in (("spearman", spearmanr), ("pearson", pearsonr)):
        each = [100 * function(*columns(subset))[0] for subset in TASK.subsets.values()]
        assert ours[f"{name}_all"] == pytest.approx(100 * function(*columns(ALL))[0], abs=1e-6)
        assert ours[f"{name}_mean"] == pytest.approx(sum(each) / len(each), abs=1e-6)
        weighted = sum(value * size for value, size in zip(each, sizes, strict=True)) / sum(sizes)
        assert ours[f"{name}_wmean"] == pytest.approx(weighted, abs=1e-6)


def test_the_command_line_gives_the_same(model_folder: Path, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    for name, subset in TASK.subsets.items():
        rows = [f"{pair.score}\t{pair.first}\t{pair.second}" for pair in subset]
        (folder / f"{name}.tsv").write_text("\n".join(["score\tsentence1\tsentence2", *rows]) + "\n")
    flags = ["--model", str(model_folder), "--json", "--device", "cpu", "--precision", "fp32"]
    assert main(["eval", "sts", str(folder), *flags]) == 0
    told = json.loads(capsys.readouterr().out)["sts"]["made"]
    encoder = Encoder.load(model_folder, device="cpu", precision="fp32")
    ordered = StsTask("made", dict(sorted(TASK.subsets.items())))
    assert told == pytest.approx(evaluate_sts(encoder.encode, ordered), abs=1e-9)
