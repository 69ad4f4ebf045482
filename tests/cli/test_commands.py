"""Every command once from flags to result, on the tiny encoder."""

import io
import json
import sys

import numpy as np
import pytest
import torch

from cli.main import main
from retriever.data.dpr import read_dpr_examples
from retriever.data.rankings import read_rankings
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.model_folder import EncoderSettings
from tests.tiny import tiny_encoder


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path, passages):
    """Passages, and for each a question that is its title."""
    write_jsonl(
        tmp_path / "passages.jsonl", [{"id": p.id, "title": p.title, "text": p.text} for p in passages]
    )
    questions = [
        {"id": f"q{number}", "question": p.text, "positive_passage_id": p.id, "answers": [p.title]}
        for number, p in enumerate(passages)
    ]
    write_jsonl(tmp_path / "questions.jsonl", questions)
    return tmp_path


@pytest.fixture
def index(folder, model_folder, capsys):
    """An index with BM25, made by the command."""
    target = folder / "index"
    flags = [
        "--passages",
        str(folder / "passages.jsonl"),
        "--model",
        str(model_folder),
        "--output",
        str(target),
    ]
    assert main(["index", *flags, "--bm25", "--device", "cpu", "--precision", "fp32"]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    return target


CPU = ["--device", "cpu", "--precision", "fp32"]


@pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
def test_search_finds_the_passage_that_says_what_was_asked(index, capsys, mode):
    question = "cook the soup with salt in a pan"
    assert main(["search", str(index), question, "--mode", mode, "--k", "3", "--json", *CPU]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["question"] == question
    assert len(found["hits"]) == (1 if mode == "bm25" else 3)  # BM25 finds only passages that share a word
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    if mode == "bm25":
        best = found["hits"][0]
        assert (best["rank"], best["id"], best["title"], best["text"]) == (1, "p5", "soup", question)


def test_hybrid_search_says_what_each_side_found_and_which_words_made_the_score(index, capsys):
    question = "Cook the piano"
    flags = ["--mode", "hybrid", "--fusion", "rrf", "--rrf-k", "0", "-k", "10", "--explain", "--json", *CPU]
    assert main(["search", str(index), question, *flags]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["fusion"] == {"method": "rrf", "weight": 1.0, "depth": 1000, "rrf_k": 0}
    hits = {hit["id"]: hit for hit in found["hits"]}
    assert sorted(hit["dense"]["rank"] for hit in hits.values()) == list(range(1, 11))
    assert {id for id, hit in hits.items() if hit["bm25"]} == {"p5", "p7"}
    for id, hit in hits.items():
        shares = [1 / hit[side]["rank"] for side in ("dense", "bm25") if hit[side]]
        assert hit["score"] == pytest.approx(sum(shares))
        assert list(hit["words"]) == {"p5": ["cook"], "p7": ["piano"]}.get(id, [])
        assert sum(hit["words"].values()) == pytest.approx(hit["bm25"]["score"] if hit["bm25"] else 0)


def test_tune_fusion_shows_every_fusion_and_applies_the_best(index, folder, capsys):
    questions = ["--questions", str(folder / "questions.jsonl")]
    assert (
        main(["tune-fusion", str(index), *questions, "--metric", "mrr@10", "--apply", "--device", "cpu"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{index}: hybrid search, depth 1000"
    assert lines[1].split("  ")[0] == "fusion"
    assert [line.split()[0] for line in lines[2:4]] == ["dense", "bm25"]
    assert len(lines) == 2 + 2 + 4 * 11
    (best,) = (line.split() for line in lines[2:] if line.endswith("*"))
    assert (
        main(["eval", "retrieval", "--index", str(index), *questions, "--mode", "hybrid", "--json", *CPU])
        == 0
    )
    policy = json.loads(capsys.readouterr().out)["policy"]
    assert policy["fusion"] == {"method": best[0], "weight": float(best[1]), "depth": 1000, "rrf_k": 60}
    flags = [*questions, "--mode", "hybrid", "--fusion", "weighted", "--fusion-weight", "1.1", "--json", *CPU]
    assert main(["eval", "retrieval", "--index", str(index), *flags]) == 0
    assert json.loads(capsys.readouterr().out)["policy"]["fusion"]["weight"] == 1.1


def test_search_answers_a_file_of_questions_one_object_each(index, folder, capsys):
    assert (
        main(["search", str(index), "--questions", str(folder / "questions.jsonl"), "--mode", "bm25", *CPU])
        == 0
    )
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["id"], each["hits"][0]["id"]) for each in found] == [(f"q{n}", f"p{n}") for n in range(10)]


def test_search_without_a_question_answers_line_by_line(index, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("piano\n\nsnow\n"))
    assert main(["search", str(index), "--mode", "bm25", "--k", "1", "--json", *CPU]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["hits"][0]["id"] for each in found] == ["p7", "p9"]


def test_eval_retrieval_agrees_with_the_rankings_that_it_writes(index, folder, capsys):
    run = folder / "run.trec"
    flags = ["--index", str(index), "--questions", str(folder / "questions.jsonl"), "--rankings", str(run)]
    assert main(["eval", "retrieval", *flags, "--k", "10", "--json", *CPU]) == 0
    result = json.loads(capsys.readouterr().out)
    rankings = dict(read_rankings(run))
    metrics = result["retrieval"]["questions"]
    first = [rankings[f"q{number}"].ids[0] == f"p{number}" for number in range(10)]
    fifth = [f"p{number}" in rankings[f"q{number}"].ids[:5] for number in range(10)]
    assert metrics["accuracy@1"] == pytest.approx(sum(first) / 10)
    assert metrics["accuracy@5"] == pytest.approx(sum(fifth) / 10)
    assert metrics["accuracy@1_low"] <= metrics["accuracy@1"] <= metrics["accuracy@1_high"]
    assert metrics["questions"] == 10
    assert result["policy"]["judged_by"] == "gold passage, answer string"
    assert set(result) == {"retrieval", "policy", "model", "data", "versions"}


def test_eval_retrieval_keeps_results_that_compare_reads(index, folder, capsys, caplog):
    flags = [
        "eval",
        "retrieval",
        "--index",
        str(index),
        "--questions",
        str(folder / "questions.jsonl"),
        "--json",
        *CPU,
    ]
    kept = {mode: str(folder / f"kept-{mode}") for mode in ("dense", "bm25")}
    printed = {}
    for mode, output in kept.items():
        assert main([*flags, "--mode", mode, "--output", output]) == 0
        printed[mode] = json.loads(capsys.readouterr().out)
    assert main([*flags, "--mode", "dense", "--output", kept["dense"]]) == 0
    assert json.loads(capsys.readouterr().out)["retrieval"] == printed["dense"]["retrieval"]
    assert caplog.messages[-1].startswith("retrieval/questions is in")
    assert main([*flags, "--mode", "dense", "--output", kept["bm25"]]) == 2
    assert "choose another --output" in capsys.readouterr().err
    assert main([*flags, "--mode", "dense", "--k", "5", "--output", kept["dense"]]) == 2
    assert "retrieval/questions is there with another policy (k)" in capsys.readouterr().err
    assert main(["compare", *kept.values(), "--json", "--resamples", "200"]) == 0
    found = {each["metric"]: each for each in json.loads(capsys.readouterr().out)["comparisons"]}
    for metric in ("accuracy@1", "mrr@10", "answer_accuracy@5"):
        values = [printed[mode]["retrieval"]["questions"][metric] for mode in kept]
        assert [found[metric]["first_value"], found[metric]["second_value"]] == pytest.approx(values)


def test_eval_retrieval_for_people_names_the_judge(index, folder, capsys):
    flags = ["--index", str(index), "--questions", str(folder / "questions.jsonl"), "--mode", "bm25"]
    assert main(["eval", "retrieval", *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "retrieval, judged by gold passage, answer string"
    assert lines[1].split() == ["metric", "value", "95", "%", "from", "to"]
    assert lines[2].split() == [
        "accuracy@1",
        "1.0000",
        "1.0000",
        "1.0000",
    ]  # each question repeats its passage


def test_index_search_and_eval_with_one_model_for_questions_and_another_for_passages(
    folder, passages, plain_folder, capsys
):
    for name, role in (("questions", "query"), ("passages", "passage")):
        torch.manual_seed(len(name))
        settings = EncoderSettings(pooling="cls", similarity="dot", max_length=32, role=role)
        encoder = tiny_encoder(plain_folder, settings)
        with torch.no_grad():
            next(encoder.parameters()).normal_()
        encoder.save(folder / name)
    two = ["--model", str(folder / "questions"), "--passage-model", str(folder / "passages")]
    corpus, index = ["--passages", str(folder / "passages.jsonl")], str(folder / "index")
    assert main(["index", *corpus, *two[:2], "--output", index, *CPU]) == 2
    only = "is one of two encoders and embeds questions only: name the passages' encoder with --passage-model"
    assert capsys.readouterr().err.endswith(f"error: model '{folder / 'questions'}' {only}\n")
    assert main(["index", *corpus, *two, "--output", index, *CPU]) == 0
    model = DualEncoder.load(folder / "questions", folder / "passages", device="cpu", precision="fp32")
    scores = (model.encode_queries(["snow"]) @ model.encode_passages(passages).T)[0]
    for flags in ([], two):
        capsys.readouterr()
        assert main(["search", index, "snow", "--json", *flags, *CPU]) == 0
        hits = json.loads(capsys.readouterr().out)["hits"]
        assert [hit["id"] for hit in hits] == [f"p{row}" for row in np.argsort(-scores)]
        questions = ["--index", index, "--questions", str(folder / "questions.jsonl")]
        assert main(["eval", "retrieval", *questions, "--json", *flags, *CPU]) == 0
        assert json.loads(capsys.readouterr().out)["model"]["passage_name"] == str(folder / "passages")


def test_an_index_is_added_to_removed_from_compacted_and_verified(index, folder, capsys):
    more = write_jsonl(folder / "more.jsonl", [{"id": "new", "text": "the cat plays the piano"}])

    def said(*arguments):
        assert main(["index", *arguments]) == 0
        return capsys.readouterr().out

    assert said("add", str(index), "--passages", str(more), "--device", "cpu") == (
        f"{index}: 11 passages (segments: 2, removed since the last compact: 0)\n"
    )
    assert (
        said("remove", str(index), "p3", "p4")
        == f"{index}: 9 passages (segments: 2, removed since the last compact: 2)\n"
    )
    found = json.loads(said("verify", str(index), "--device", "cpu", "--json"))
    assert (found["passages"], found["removed"], found["sampled"]) == (9, 2, 11)
    assert (
        said("compact", str(index))
        == f"{index}: 9 passages (segments: 1, removed since the last compact: 0)\n"
    )
    assert main(["search", str(index), "the cat plays the piano", "--json", *CPU]) == 0
    hits = [hit["id"] for hit in json.loads(capsys.readouterr().out)["hits"]]
    assert hits[0] == "new"
    assert len(hits) == 9


def test_options_before_a_command_of_index_are_refused(index, capsys):
    assert main(["index", "--bm25", "compact", str(index)]) == 2
    assert capsys.readouterr().err == "error: options of compact stand after it\n"


def test_info_of_an_index_is_its_manifest(index, capsys):
    assert main(["info", str(index), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["count"], facts["dimension"], facts["bm25"]) == ("index", 10, 32, True)
    assert facts["bm25_formula"] == "okapi"
    assert facts["bm25_words"] == "words in lower case; stop words: english, 33; stems: none"


def test_info_of_an_index_can_measure_its_speed(index, model_folder, capsys):
    assert main(["info", str(index), "--bench", "--json"]) == 0
    bench = json.loads(capsys.readouterr().out)["bench"]
    assert set(bench) == {"open_seconds", "first_ms", "p50_ms", "p95_ms", "queries_per_second"}
    assert 0 < bench["p50_ms"] <= bench["p95_ms"]
    assert main(["info", str(model_folder), "--bench"]) == 2
    assert capsys.readouterr().err == f"error: {model_folder}: bench measures an index, this is a model\n"


def test_info_of_a_model_says_how_it_embeds(model_folder, capsys):
    assert main(["info", str(model_folder)]) == 0
    assert "mean pooling" in capsys.readouterr().out


def sts_file(folder, name="sts.tsv"):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        "5\tthe cat sat\tthe cat sat",
        "3\tthe cat sat\tthe dog sat",
        "0\tthe cat sat\tsnow falls in winter",
    ]
    (folder / name).write_text("\n".join(["score\tsentence1\tsentence2", *rows]) + "\n")
    return folder / name


def test_eval_sts(tmp_path, model_folder, capsys):
    assert main(["eval", "sts", str(sts_file(tmp_path)), "--model", str(model_folder), "--json", *CPU]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["sts"]["sts"]["pairs"] == 3
    assert result["sts"]["sts"]["spearman_all"] == pytest.approx(
        100
    )  # equal sentences, one word, all words apart
    assert set(result) == {"sts", "policy", "model", "data", "versions"}


def test_eval_sts_for_people(tmp_path, model_folder, capsys):
    assert main(["eval", "sts", str(sts_file(tmp_path)), "--model", str(model_folder), *CPU]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "STS by cosine; the headline is spearman_all, as in SBERT and SimCSE"
    assert lines[1].split() == [
        *(
            "task",
            "spearman_all",
            "95",
            "%",
            "from",
            "to",
            "spearman_mean",
            "spearman_wmean",
            "pearson_all",
            "pairs",
        )
    ]
    assert lines[2].split()[:2] == ["sts", "100.00"] and lines[2].split()[-1] == "3"


def test_eval_sts_does_not_let_one_task_hide_another_of_the_same_name(tmp_path, model_folder, capsys):
    files = [sts_file(tmp_path / "a"), sts_file(tmp_path / "b")]
    assert main(["eval", "sts", *map(str, files), "--model", str(model_folder), *CPU]) == 2
    message = f"error: {files[1]}: two of the data sets are called 'sts'; evaluate them one by one\n"
    assert capsys.readouterr().err.endswith(message)


def test_train_simcse_prints_the_run_directory_and_keeps_its_log(tmp_path, model_folder, capsys):
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("the cat sat\nthe dog ran\na red car\nsnow falls\n")
    run = tmp_path / "run"
    flags = [
        "--train",
        str(sentences),
        "--output",
        str(run),
        "--model",
        str(model_folder),
        "--batch-size",
        "2",
    ]
    assert main(["train-simcse", *flags, *CPU]) == 0
    assert capsys.readouterr().out == f"{run}\n"
    assert "INFO retriever." in (run / "log.txt").read_text()
    assert main(["info", str(run), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["config"]["batch_size"], facts["results"]["steps"]) == ("run", 2, 2)


def test_train_dpr_learns_from_what_mine_writes_and_its_config_repeats_the_run(
    folder, passages, model_folder, capsys
):
    mined = folder / "mined.jsonl"
    neighbours = zip(passages, passages[1:] + passages[:1], strict=True)
    double = [{"question": f"{a.text} {b.text}", "positive_passage_id": a.id} for a, b in neighbours]
    write_jsonl(folder / "questions.jsonl", double)  # each also says what another passage says
    sources = [f"--{name}={folder / name}.jsonl" for name in ("questions", "passages")]
    assert main(["mine", *sources, f"--output={mined}"]) == 0
    assert all(example.hard_negatives for example in read_dpr_examples(mined))
    run, again = folder / "run", folder / "again"
    flags = ["--train", str(mined), "--output", str(run), "--model", str(model_folder), "--batch-size", "4"]
    flags += ["--query-max-length", "32", "--passage-max-length", "32"]
    assert main(["train-dpr", *flags, *CPU]) == 0
    assert main(["train-dpr", "--config", str(run / "config.json"), "--output", str(again)]) == 0
    assert capsys.readouterr().out.endswith(f"{run}\n{again}\n")
    first, second = ((each / "metrics.jsonl").read_text().splitlines() for each in (run, again))
    losses = [[json.loads(line).get("loss") for line in lines] for lines in (first, second)]
    assert losses[0] == losses[1] != [None]


def test_a_run_directory_that_is_not_empty_is_refused(tmp_path, model_folder, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("data")
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    flags = [
        "--train",
        str(tmp_path / "a.txt"),
        "--output",
        str(tmp_path / "run"),
        "--model",
        str(model_folder),
    ]
    assert main(["train-simcse", *flags, "--batch-size", "2"]) == 2
    assert str(tmp_path / "run") in capsys.readouterr().err
    assert [each.name for each in (tmp_path / "run").iterdir()] == ["precious"]
