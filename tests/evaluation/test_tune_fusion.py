from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retriever.config.fusion import TuneFusionConfig
from retriever.config.index import IndexAddConfig, IndexConfig
from retriever.errors import InputError
from retriever.evaluation.tune_fusion import STEPS, compared, fusions_to_try, tune_fusion
from retriever.index.build import build_index
from retriever.index.layout import read_manifest
from retriever.index.update import add_passages, compact_index
from retriever.records import Passage, Ranking
from retriever.search.fusion import METHODS, Candidates, Fusion
from retriever.search.hybrid import HybridSearcher
from retriever.search.open import open_searcher
from tests.index.folders import write_passages

QUESTIONS = [
    ("where did the cat sit?", "p0", "mat"),
    ("what boils at a hundred degrees?", "p4", "water"),
    ("who plays the piano?", "p7", "old king"),
    ("what sings in the tree?", "p8", "bird"),
]


@pytest.fixture
def index(tmp_path: Path, passages: list[Passage], model_folder: Path) -> Path:
    file = write_passages(tmp_path / "passages.jsonl", passages)
    output = tmp_path / "index"
    return build_index(
        IndexConfig(
            passages=file, model=str(model_folder), output=output, bm25=True, device="cpu", precision="fp32"
        )
    )


def questions_in(folder: Path, fields: str = "id positive_passage_id") -> Path:
    file = folder / "questions.jsonl"
    lines = []
    for number, (text, positive, answer) in enumerate(QUESTIONS):
        values = {"id": f'"{number}"', "positive_passage_id": f'"{positive}"', "answers": f'["{answer}"]'}
        shown = "".join(f', "{name}": {values[name]}' for name in fields.split())
        lines.append(f'{{"question": "{text}"{shown}}}')
    file.write_text("\n".join(lines) + "\n")
    return file


def config_of(index: Path, **settings: object) -> TuneFusionConfig:
    given = {"index": index, "depth": 10, "device": "cpu"}
    questions = settings.pop("questions", None) or questions_in(index.parent)
    return TuneFusionConfig(**{**given, "questions": questions, **settings})


def test_every_method_is_tried_with_every_weight_beside_both_sides(index: Path) -> None:
    trials = tune_fusion(config_of(index, metric="mrr@10"))
    assert [each.name for each in trials[:2]] == ["dense", "bm25"]
    assert [each.name for each in trials[2:]] == [name for name in METHODS for _ in STEPS]
    assert trials[1].value == 1.0  # every question has a word that only its passage holds
    for each in trials:
        assert each.difference == pytest.approx(each.value - 1.0)  # nothing is better
        assert each.low <= each.difference <= each.high <= 0
    assert sum(each.best for each in trials) == 1


def test_values_are_those_of_searching_with_each_fusion(index: Path) -> None:
    trials = tune_fusion(config_of(index, metric="mrr@10"))
    searcher = open_searcher(index, mode="hybrid", device="cpu")
    assert isinstance(searcher, HybridSearcher)
    for each in trials[2:]:
        searcher.fusion = Fusion(each.name, each.weight, 10)  # type: ignore[arg-type]
        found = searcher.search([text for text, _, _ in QUESTIONS], 10)
        ranks = [
            ranking.ids.index(positive) + 1
            for ranking, (_, positive, _) in zip(found, QUESTIONS, strict=True)
        ]
        assert each.value == pytest.approx(np.mean([1 / rank for rank in ranks])), each


def test_apply_makes_the_index_use_the_best_from_then_on(
    index: Path, passages: list[Passage], tmp_path: Path
) -> None:
    best = next(each for each in tune_fusion(config_of(index, apply=True)) if each.best)
    stored = read_manifest(index).fusion
    assert stored == {
        "method": best.name,
        "weight": best.weight,
        "depth": 10,
        "rrf_k": 60,
        "metric": "accuracy@1",
        "value": best.value,
        "questions": 4,
        "passages": 10,
    }

    def fusion() -> Fusion:
        searcher = open_searcher(index, mode="hybrid", device="cpu")
        assert isinstance(searcher, HybridSearcher)
        return searcher.fusion

    assert fusion() == Fusion(best.name, best.weight, 10)  # type: ignore[arg-type]
    more = write_passages(tmp_path / "more.jsonl", [Passage("new", "a star is bright")])
    add_passages(IndexAddConfig(index=index, passages=more, device="cpu"))
    compact_index(index)
    assert read_manifest(index).fusion == stored
    assert fusion().depth == 10


def test_without_apply_the_index_stays_as_it_is(index: Path) -> None:
    before = (index / "CURRENT").read_text()
    tune_fusion(config_of(index))
    assert (index / "CURRENT").read_text() == before


def test_a_fusion_that_is_not_surely_better_is_told(index: Path, caplog: pytest.LogCaptureFixture) -> None:
    tune_fusion(config_of(index))
    assert [each.message for each in caplog.records if each.levelname == "WARNING"] == [
        "on these questions no fusion is surely better than --mode dense alone: the best differs by +0.0000 "
        "(95 % from +0.0000 to +0.0000)"
    ]


def test_answers_judge_where_no_passage_is_named(index: Path) -> None:
    by_gold = tune_fusion(config_of(index))
    by_answers = tune_fusion(config_of(index, questions=questions_in(index.parent, "id answers")))
    assert by_answers == by_gold  # each answer is in the gold passage alone


def test_qrels_judge_and_questions_without_are_left_out(index: Path) -> None:
    qrels = index.parent / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\n0\tp0\t1\n2\tp7\t2\n2\tp8\t1\n")
    trials = tune_fusion(config_of(index, qrels=qrels, metric="ndcg@10", apply=True))
    assert trials[1].value < 1.0  # p8 has no word of question 2 but those in every passage
    assert (read_manifest(index).fusion or {})["questions"] == 2


@pytest.mark.parametrize(
    ("fields", "metric", "message"),
    [
        (
            "id",
            "accuracy@1",
            "{file}:1: question '0' has no answers, and not all questions have a positive passage id: all must be judged in one way",
        ),
        (
            "id answers",
            "ndcg@10",
            "ndcg@10 needs all relevant passages: questions with positive_passage_id, or --qrels",
        ),
    ],
)
def test_questions_that_nothing_judges_are_refused(
    index: Path, fields: str, metric: str, message: str
) -> None:
    file = questions_in(index.parent, fields)
    with pytest.raises(InputError) as error:
        tune_fusion(config_of(index, questions=file, metric=metric))
    assert str(error.value) == message.format(file=file)


def test_judgements_that_fit_nothing_are_refused_with_their_place(index: Path) -> None:
    questions, qrels = questions_in(index.parent, "id answers"), index.parent / "qrels.tsv"
    with questions.open("a") as file:
        file.write('\n{"id": "last", "question": "who?"}\n')
    qrels.write_text("other 0 p0 1\n0 0 p0 0\n")
    with pytest.raises(InputError) as error:
        tune_fusion(config_of(index, questions=questions))
    assert str(error.value).startswith(f"{questions}:6: question 'last' has no answers, ")
    with pytest.raises(InputError) as error:
        tune_fusion(config_of(index, questions=questions, qrels=qrels))
    assert str(error.value) == f"{qrels}: the qrels name no relevant passage for any of the questions"
    qrels.write_text("0 0 x 1\n")
    with pytest.raises(InputError) as error:
        tune_fusion(config_of(index, questions=questions, qrels=qrels))
    assert str(error.value).startswith(f"{qrels}: none of the 1 relevant passages is in the corpus")


def test_an_index_without_bm25_is_refused(index: Path) -> None:
    build = IndexConfig.resolve({"passages": index.parent / "passages.jsonl", "model": "x", "output": index})
    plain = build_index(
        replace(
            build, model=str(read_manifest(index).model.name), output=index.parent / "plain", device="cpu"
        )
    )
    with pytest.raises(InputError) as error:
        tune_fusion(config_of(plain))
    assert str(error.value) == f"{plain}: built without --bm25, so mode hybrid cannot be had"


def test_weights_of_raw_scores_are_in_units_of_their_spread() -> None:
    dense, bm25 = Ranking("ab", [0.7, 0.5]), Ranking("ab", [30.0, 10.0])
    tried = fusions_to_try([Candidates(dense, bm25, 9), Candidates(Ranking((), ()), Ranking((), ()), 9)], 9)
    assert [each.weight for each in tried if each.method == "weighted"] == pytest.approx(
        [100 * step for step in STEPS]
    )
    assert [each.weight for each in tried if each.method == "zscore"] == list(STEPS)


def test_of_equal_fusions_the_first_method_with_the_weight_nearest_to_the_default_is_best() -> None:
    fusions = fusions_to_try([], 10)
    values = np.zeros((3, 2 + len(fusions)))
    values[:, 1] = [0.5, 0.0, 1.0]
    (best,) = (each for each in compared(fusions, values) if each.best)
    assert (best.name, best.weight, best.difference) == ("zscore", 1.4, -0.5)
