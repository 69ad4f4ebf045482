"""An index that is not exact: built, searched, said to be so, added to and compacted."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from retriever.choices import IndexRecipe
from retriever.config.index import IndexAddConfig, IndexConfig, IndexTuneConfig
from retriever.errors import InputError
from retriever.index.build import build_index
from retriever.index.layout import read_manifest
from retriever.index.opened import OpenIndex
from retriever.index.recall import Truth
from retriever.index.recipes import RECIPES
from retriever.index.tune import Trade, mark_best, tune_index
from retriever.index.update import add_passages, compact_index, remove_passages
from retriever.search.open import open_searcher
from tests.conftest import WORDS

APPROXIMATE = [name for name, recipe in RECIPES.items() if not recipe.exact]


def write(path: Path, first: int, count: int) -> Path:
    generator = random.Random(first)
    rows = [
        {"id": f"p{number}", "text": " ".join(generator.choices(WORDS, k=6))}
        for number in range(first, first + count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def built(folder: Path, model: Path, recipe: str, **options: object) -> Path:
    passages = write(folder / "passages.jsonl", 0, 400)
    return build_index(
        IndexConfig(
            passages=passages,
            model=str(model),
            output=folder / f"index-{recipe}",
            recipe=recipe,
            device="cpu",
            precision="fp32",
            **options,
        )
    )


def ids(index: Path, k: int = 5) -> list[tuple[str, ...]]:
    generator = random.Random(9)
    questions = [" ".join(generator.choices(WORDS, k=6)) for _ in range(40)]
    return [each.ids for each in open_searcher(index, device="cpu", precision="fp32").search(questions, k)]


def overlap(first: list[tuple[str, ...]], second: list[tuple[str, ...]]) -> float:
    pairs = list(zip(first, second, strict=True))
    return sum(len(set(one) & set(other)) / len(one) for one, other in pairs) / len(pairs)


@pytest.mark.parametrize("recipe", APPROXIMATE)
def test_it_finds_what_it_says_it_finds_and_lives_on(
    recipe: IndexRecipe, tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, exact = (
        built(tmp_path, model_folder, recipe, target_recall=0.9),
        built(tmp_path, model_folder, "flat"),
    )
    manifest = read_manifest(index)
    assert manifest.recall is not None
    assert manifest.recall["recall@10"] >= 0.9
    assert manifest.recall["queries_are"] == "beginnings of passages"
    assert overlap(ids(index), ids(exact)) > 0.8
    rows = int(100 * RECIPES[recipe].bytes_per_vector(32))
    monkeypatch.setattr("retriever.index.recipes.FILE_BYTES", rows)  # a hundred vectors to a file
    more = write(tmp_path / "more.jsonl", 400, 60)
    for each in (index, exact):
        add_passages(IndexAddConfig(index=each, passages=more, device="cpu"))
        remove_passages(each, [f"p{number}" for number in range(0, 460, 7)])
    assert overlap(ids(index), ids(exact)) > 0.8
    compact_index(index)
    assert len(OpenIndex.open(index).segments[0].vectors) > 2
    assert overlap(ids(index), ids(exact)) > 0.8
    assert not {f"p{number}" for number in range(0, 460, 7)} & {
        id for found in ids(index, 50) for id in found
    }


def test_recall_is_measured_with_the_questions_that_are_given(tmp_path: Path, model_folder: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    rows = [
        {"id": str(n), "question": f"{word} {other}"}
        for n, (word, other) in enumerate(zip(WORDS, WORDS[3:], strict=False))
    ]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    index = built(tmp_path, model_folder, "ivf-flat", questions=questions, lists=20, target_recall=0.99)
    manifest = read_manifest(index)
    assert manifest.recall is not None
    assert (manifest.recall["queries"], manifest.recall["queries_are"]) == (len(rows), "questions")
    assert manifest.search["nprobe"] > 1


def test_a_length_of_passages_does_not_cut_the_questions_that_measure_recall(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions, asked = tmp_path / "questions.jsonl", []
    texts = [f"the old king plays the {word}" for word in WORDS[:12]]
    questions.write_text("".join(json.dumps({"question": text}) + "\n" for text in texts))
    truth_of = Truth.of_queries
    monkeypatch.setattr(
        Truth,
        "of_queries",
        lambda queries, *more, **named: asked.append(queries) or truth_of(queries, *more, **named),
    )
    index = built(tmp_path, model_folder, "sq8", questions=questions, max_length=4)
    tune_index(IndexTuneConfig(index=index, questions=questions, device="cpu"))
    at_build, at_search = asked
    np.testing.assert_array_equal(at_build, at_search)


def test_questions_are_read_first_and_not_needed_by_exact_search(
    tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passages, questions = write(tmp_path / "passages.jsonl", 0, 20), tmp_path / "questions.jsonl"
    command = ["index", "--passages", str(passages), "--model", str(model_folder), "--device", "cpu"]
    command += ["--output", str(tmp_path / "index"), "--questions", str(questions)]
    assert main(command) == 2
    assert f"{questions}: no such file" in capsys.readouterr().err
    assert not (tmp_path / "index").exists()
    questions.write_text('{"question": "the cat"}\n')
    assert main(command) == 0
    assert "warning: --questions are not used: flat is exact" in capsys.readouterr().err


@pytest.mark.parametrize("recipe", [name for name, recipe in RECIPES.items() if recipe.fewest == 1])
def test_one_passage_is_an_index_of_any_recipe(
    tmp_path: Path, model_folder: Path, recipe: IndexRecipe
) -> None:
    config = IndexConfig(
        passages=write(tmp_path / "passages.jsonl", 0, 1),
        model=str(model_folder),
        output=tmp_path / "index",
        recipe=recipe,
        device="cpu",
    )
    assert ids(build_index(config)) == [("p0",)] * 40


def test_a_search_says_that_it_is_approximate(
    tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = built(tmp_path, model_folder, "ivf-sq8")
    question = [str(index), "the cat", "--device", "cpu", "--precision", "fp32"]
    assert main(["search", *question]) == 0
    assert "approximate search: ivf-sq8, nprobe" in capsys.readouterr().err
    assert main(["search", *question, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["approximate"]["recall@10"] == read_manifest(index).recall["recall@10"]
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "the cat", "positive_passage_id": "p3"}\n')
    evaluate = ["eval", "retrieval", "--questions", str(questions), "--device", "cpu", "--json", "--index"]
    assert main([*evaluate, str(index)]) == 0
    assert json.loads(capsys.readouterr().out)["policy"]["approximate"] == found["approximate"]
    exact = built(tmp_path, model_folder, "flat")
    assert main(["search", str(exact), "the cat", "--device", "cpu", "--json"]) == 0
    assert "approximate" not in json.loads(capsys.readouterr().out)
    assert main([*evaluate, str(exact)]) == 0
    assert json.loads(capsys.readouterr().out)["policy"]["approximate"] is None


def test_a_graph_that_leads_to_removed_passages_only_finds_nothing_and_says_so(
    tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, question = built(tmp_path, model_folder, "hnsw"), "the old king"
    searcher = open_searcher(index, device="cpu", precision="fp32")
    reached = searcher.search([question], 400)[0].ids
    assert len(reached) < 400
    remove_passages(index, reached)
    command = ["search", str(index), question, "--device", "cpu", "--precision", "fp32"]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err.splitlines()[-1]) == (
        "",
        f"no passage that the search reached for '{question}' is still there: ctl index compact drops what was removed",
    )
    compact_index(index)
    assert main(command) == 0
    assert capsys.readouterr().out.startswith(question)


def test_too_few_passages_are_refused_before_anything_is_encoded(tmp_path: Path, model_folder: Path) -> None:
    with pytest.raises(InputError, match="500 lists need at least 500 passages, found 400"):
        built(tmp_path, model_folder, "ivf-flat", lists=500)
    assert not (tmp_path / "index-ivf-flat").exists()
    with pytest.raises(InputError, match="more than --max-memory allows"):
        built(tmp_path, model_folder, "auto", max_memory=1e-6)


def test_tuning_measures_every_setting_and_marks_what_nothing_beats(
    tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, picture = (
        built(tmp_path, model_folder, "ivf-flat", lists=16, target_recall=0.5),
        tmp_path / "t.png",
    )
    flags = [str(index), "--recipes", "sq8", "--recipes", "flat", "--device", "cpu"]
    assert main(["index", "tune", *flags, "--picture", str(picture), "--json"]) == 0
    trades = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(dict.fromkeys(each["recipe"] for each in trades)) == ["ivf-flat", "sq8", "flat"]
    own = [each for each in trades if each["recipe"] == "ivf-flat"]
    assert [each["settings"]["nprobe"] for each in own] == [2**power for power in range(len(own))]
    recalls = [each["recall"] for each in own]
    assert recalls == sorted(recalls)
    assert trades[-1]["recall"] == 1.0
    assert any(each["best"] for each in trades)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["index", "tune", str(index), "--device", "cpu"]) == 0
    assert "recall@10" in capsys.readouterr().out.splitlines()[1]


def test_tuning_can_set_the_index(tmp_path: Path, model_folder: Path) -> None:
    index = built(tmp_path, model_folder, "ivf-flat", lists=16, target_recall=0.3, bm25=True)
    before = read_manifest(index)
    tune_index(IndexTuneConfig(index=index, device="cpu", apply=True, target_recall=0.98))
    after = read_manifest(index)
    assert before.recall["recall@10"] < 0.98 <= after.recall["recall@10"]
    assert before.search["nprobe"] < after.search["nprobe"]
    assert after.segments == before.segments
    assert open_searcher(index, mode="bm25").search(["the cat"], 3)[0].ids
    add_passages(IndexAddConfig(index=index, passages=write(tmp_path / "more.jsonl", 400, 5), device="cpu"))
    with pytest.raises(InputError, match="run ctl index compact first"):
        tune_index(IndexTuneConfig(index=index, device="cpu"))


def trade(recall: float, speed: float, size: float) -> Trade:
    return Trade("flat", {}, recall, speed, 0, 0, size, None)


def test_what_is_beaten_in_everything_is_not_marked() -> None:
    trades = [
        trade(0.9, 100, 4),
        trade(0.9, 90, 4),
        trade(0.8, 200, 4),
        trade(0.8, 90, 1),
        trade(0.9, 100, 4),
    ]
    assert [each.best for each in mark_best(trades)] == [True, False, True, True, True]
