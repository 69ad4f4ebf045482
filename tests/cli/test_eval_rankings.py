"""``ctl eval rankings``, and what ``ctl eval retrieval`` writes for it."""

import errno
import json
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer, BertConfig, BertModel

from cli import eval_rankings
from cli.main import main
from retriever.data import answers as matching
from retriever.encoding.encoder import Encoder
from retriever.encoding.model_folder import EncoderSettings

CPU = ["--device", "cpu", "--precision", "fp32"]


@pytest.fixture
def folder(tmp_path, passages, model_folder):
    """A BEIR folder, questions with answers and gold passages, and an index."""
    rows = [{"_id": p.id, "title": p.title, "text": p.text} for p in passages]
    asked = [
        {"id": f"q{n}", "question": p.text, "answers": [p.text.split()[-1]], "positive_passage_id": p.id}
        for n, p in enumerate(passages)
    ]
    queries = [{"_id": each["id"], "text": each["question"]} for each in asked]
    for name, found in (("corpus", rows), ("queries", queries), ("questions", asked)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in found))
    (tmp_path / "qrels").mkdir()
    judged = "".join(f"q{n}\tp{n}\t1\nq{n}\tp{(n + 1) % 10}\t2\n" for n in range(9))
    (tmp_path / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    flags = ["--passages", str(tmp_path / "corpus.jsonl"), "--model", str(model_folder)]
    assert main(["index", *flags, "--output", str(tmp_path / "index"), *CPU]) == 0
    return tmp_path


def printed(capsys, *command):
    capsys.readouterr()
    assert main(["eval", *map(str, command), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *command):
    capsys.readouterr()
    assert main(["eval", *map(str, command)]) == 2
    return capsys.readouterr().err.splitlines()[-1].removeprefix("error: ")


@pytest.mark.parametrize("name", ["run.trec", "results.json"])
def test_rankings_that_a_search_wrote_give_its_numbers_again(folder, name, capsys):
    run, questions = folder / name, folder / "questions.jsonl"
    searched = ["retrieval", "--index", folder / "index", "--rankings", run, *CPU]
    for judges in (["--questions", folder], ["--questions", questions]):
        own = printed(capsys, *searched, *judges)
        read = printed(capsys, "rankings", run, *judges, "--passages", folder / "corpus.jsonl")
        assert read["retrieval"] == own["retrieval"]
        assert read["policy"]["judged_by"] == own["policy"]["judged_by"]
        assert read["data"]["sha256"] == own["data"]["sha256"]
        assert read["model"]["name"] == name


def test_a_beir_folder_brings_its_judgements(folder, capsys):
    found = printed(
        capsys, "retrieval", "--index", folder / "index", "--questions", folder, "--metrics", "ndcg@3", *CPU
    )
    (task,) = found["retrieval"]
    assert task == folder.name
    assert found["retrieval"][task]["questions"] == 9
    assert found["retrieval"][task]["unjudged_questions"] == 1
    assert [name for name in found["retrieval"][task] if "@" in name] == [
        "ndcg@3",
        "ndcg@3_low",
        "ndcg@3_high",
    ]
    policy = found["policy"]
    assert (policy["ties"], policy["unjudged"], policy["self_hits"]) == ("ranking", "not_relevant", "keep")
    assert policy["queries_without_a_relevant_passage"] == "left out"
    assert policy["metrics"] == ["ndcg@3"]


def test_kept_rankings_are_not_judged_again_and_compared_with_a_search(folder, capsys, caplog):
    run, qrels = folder / "run.trec", folder / "qrels" / "test.tsv"
    kept = [str(folder / "kept-search"), str(folder / "kept-run")]
    judges = ["--questions", folder]
    printed(
        capsys,
        "retrieval",
        "--index",
        folder / "index",
        *judges,
        "--output",
        kept[0],
        "--rankings",
        run,
        *CPU,
    )
    lines = [line.split() for line in run.read_text().splitlines()]
    worse = folder / "worse.trec"
    worse.write_text("\n".join(f"{q} Q0 {p} {r} {-float(s)} x" for q, _, p, r, s, _ in lines) + "\n")
    first = printed(capsys, "rankings", worse, *judges, "--output", kept[1])
    assert any("the ranks contradict the scores" in each for each in caplog.messages)
    assert printed(capsys, "rankings", worse, *judges, "--output", kept[1])["retrieval"] == first["retrieval"]
    assert caplog.messages[-1].startswith(f"retrieval/{folder.name} is in")
    message = refused(capsys, "rankings", worse, *judges, "--output", kept[1], "--ties", "trec_eval")
    assert "is there with another policy (ties)" in message
    assert "choose another --output" in refused(capsys, "rankings", run, *judges, "--output", kept[1])
    assert main(["compare", *kept, "--json", "--resamples", "200"]) == 0
    found = {each["metric"]: each for each in json.loads(capsys.readouterr().out)["comparisons"]}
    assert found["ndcg@10"]["second_value"] == pytest.approx(first["retrieval"][folder.name]["ndcg@10"])
    assert printed(capsys, "rankings", worse, "--qrels", qrels)["retrieval"][folder.name]["questions"] == 9


def test_dpr_results_of_a_search_say_where_the_answers_are(folder, capsys):
    out = folder / "results.json"
    flags = [
        "--index",
        folder / "index",
        "--questions",
        folder / "questions.jsonl",
        "--k",
        "3",
        "--rankings",
        out,
    ]
    found = printed(capsys, "retrieval", *flags, *CPU)["retrieval"]["questions"]
    results = json.loads(out.read_text())
    assert [len(each["ctxs"]) for each in results] == [3] * 10
    assert sum(each["ctxs"][0]["has_answer"] for each in results) / 10 == found["answer_accuracy@1"]


def test_what_trec_cannot_hold_is_told_after_the_results(folder, capsys):
    questions = folder / "spaced.jsonl"
    questions.write_text(json.dumps({"id": "q 1", "question": "snow", "positive_passage_id": "p9"}) + "\n")
    run = folder / "spaced.trec"
    flags = ["--index", folder / "index", "--questions", questions, "--rankings", run, *CPU]
    capsys.readouterr()
    assert main(["eval", "retrieval", *map(str, flags)]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("retrieval, judged by gold passage")
    assert said.err.splitlines()[-1].startswith(f"error: {run}: query id holds white space: 'q 1'")
    assert not run.exists()


@contextmanager
def on_a_full_disk(path, buffering):
    with Path("/dev/full").open("w", buffering=buffering) as file:
        yield file
        file.flush()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
@pytest.mark.parametrize("buffering", [1, 1 << 20])  # full at the first line, or when the file is closed
def test_a_full_disk_costs_the_rankings_and_not_the_results(folder, buffering, capsys, caplog, monkeypatch):
    monkeypatch.setattr("retriever.data.rankings.atomic_file", lambda path: on_a_full_disk(path, buffering))
    run, kept = folder / "run.trec", folder / "kept"
    flags = ["--index", folder / "index", "--questions", folder, "--rankings", run, "--output", kept, *CPU]
    capsys.readouterr()
    assert main(["eval", "retrieval", *map(str, flags)]) == 2
    said = capsys.readouterr()
    sentence = f"{run}: cannot be written: No space left on device"
    assert said.out.startswith("retrieval, judged by qrels")
    assert said.err.splitlines()[-1] == f"error: {sentence}"
    assert (f"{sentence}; the evaluation goes on, without this file" in caplog.messages) == (buffering == 1)
    assert json.loads((kept / "results.json").read_text())["retrieval"][folder.name]["questions"] == 9


def test_results_that_cannot_be_kept_are_printed(folder, capsys, monkeypatch):
    def write_results(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("retriever.evaluation.results.write_results", write_results)
    run = folder / "run.trec"
    run.write_text("q0 Q0 p0 1 1 t\n")
    command = ["rankings", run, "--qrels", folder / "qrels" / "test.tsv", "--output", folder / "kept"]
    capsys.readouterr()
    assert main(["eval", *map(str, command)]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("retrieval, judged by qrels")
    assert said.err.splitlines()[-1].startswith("error: cannot write, the disk is full")


def test_a_kept_result_is_printed_with_what_it_was_made_with(folder, capsys):
    run, kept = folder / "run.trec", folder / "kept"
    run.write_text("q0 Q0 p0 1 1 t\n")
    command = ["rankings", run, "--qrels", folder / "qrels" / "test.tsv", "--output", kept]
    made = printed(capsys, *command)
    file = kept / "results.json"
    stored = json.loads(file.read_text())
    stored["versions"]["retrieval"][folder.name]["numpy"] = "0.1"
    stored["policy"]["retrieval"][folder.name]["of_an_older_version"] = True
    file.write_text(json.dumps(stored))
    again = printed(capsys, *command)
    assert again["policy"] == {**made["policy"], "of_an_older_version": True}
    assert again["policy"]["judged_by"] == "qrels"
    assert {"pytrec-eval-terrier", "rank-bm25", "regex"} <= set(made["versions"])
    assert again["versions"] == {**made["versions"], "numpy": "0.1"}
    assert again["retrieval"] == made["retrieval"]


def test_a_data_set_as_corpus_is_known_by_its_content(folder, capsys):
    run, table = folder / "run.trec", folder / "corpus.parquet"
    run.write_text("q0 Q0 p0 1 1 t\n")
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    pq.write_table(pa.Table.from_pylist(rows), table)
    command = ["rankings", run, "--qrels", folder / "qrels" / "test.tsv", "--output", folder / "kept"]
    command += ["--passages", f"hf:{table}"]
    first = printed(capsys, *command)
    assert printed(capsys, *command)["policy"] == first["policy"]
    pq.write_table(pa.Table.from_pylist(rows[:5]), table)
    assert "is there with another policy (corpus_sha256)" in refused(capsys, *command)


def test_of_the_corpus_only_what_judges_is_held(folder, capsys, monkeypatch):
    held = []
    passages_of = eval_rankings.passages_of

    @contextmanager
    def watched(config, asked):
        with passages_of(config, asked) as passages:
            held.append((type(passages).__name__, sorted(passages)))
            yield passages

    monkeypatch.setattr(eval_rankings, "passages_of", watched)
    run, questions = folder / "run.trec", folder / "questions.jsonl"
    run.write_text("q0 Q0 p0 1 1 t\n")
    corpus = ["--passages", folder / "corpus.jsonl"]
    one = folder / "one.tsv"
    one.write_text("q0 0 p0 1\nq0 0 gone 1\n")
    found = printed(capsys, "rankings", run, "--qrels", one, *corpus)
    assert found["retrieval"]["one"]["relevant_not_in_corpus"] == 1
    found = printed(capsys, "rankings", run, "--questions", questions, *corpus)
    assert found["retrieval"]["questions"]["answer_accuracy@1"] == 0.1
    assert held == [("dict", ["p0"]), ("Recent", [f"p{number}" for number in range(10)])]


def test_the_order_of_judgements_moves_no_hash(folder, capsys):
    run, qrels = folder / "run.trec", folder / "qrels" / "test.tsv"
    run.write_text("q0 Q0 p0 1 1 t\n")
    head, *lines = qrels.read_text().splitlines(keepends=True)
    first = printed(capsys, "rankings", run, "--qrels", qrels)
    qrels.write_text("".join([head, *reversed(lines)]))
    assert printed(capsys, "rankings", run, "--qrels", qrels)["data"] == first["data"]
    questions = folder / "questions.jsonl"
    first = printed(capsys, "rankings", run, "--questions", questions)
    questions.write_text("".join(reversed(questions.read_text().splitlines(keepends=True))))
    assert printed(capsys, "rankings", run, "--questions", questions)["data"] == first["data"]


def test_dpr_results_without_ids_are_told_by_their_questions(folder, capsys):
    results = folder / "dpr.json"
    texts = [json.loads(line)["question"] for line in (folder / "questions.jsonl").read_text().splitlines()]
    found = [
        {"question": text, "ctxs": [{"id": f"p{number}", "score": 1}]} for number, text in enumerate(texts)
    ]
    results.write_text(json.dumps(found[::-1]))
    judged = printed(capsys, "rankings", results, "--questions", folder / "questions.jsonl")
    assert judged["retrieval"]["questions"]["accuracy@1"] == 1


def test_a_hostile_pattern_ends_no_evaluation(folder, capsys, monkeypatch):
    monkeypatch.setattr(matching, "PATTERN_SECONDS", 0.05)
    monkeypatch.setattr(matching, "_stopped", set())
    corpus, questions, run = folder / "slow.jsonl", folder / "regex.jsonl", folder / "run.trec"
    corpus.write_text(json.dumps({"id": "p0", "text": "a" * 5000 + "!"}) + "\n")
    asked = [{"id": "q0", "question": "?", "answers": [r"(a+)+(\1x)+$"]}]
    run.write_text("q0 Q0 p0 1 1 t\n")
    command = ["rankings", run, "--questions", questions, "--passages", corpus, "--answer-match", "regex"]
    questions.write_text(json.dumps(asked[0]) + "\n")
    found = printed(capsys, *command)["retrieval"]["regex"]
    assert (found["accuracy@1"], found["answer_patterns_stopped"]) == (0, 1)
    questions.write_text(json.dumps({**asked[0], "answers": ["a(?R)?"]}) + "\n")
    assert refused(capsys, *command) == (
        f"{questions}: question 'q0': answer 'a(?R)?' is a pattern with recursion, which may end the process"
    )


def test_bad_input_is_one_sentence(folder, capsys, caplog):
    run, qrels = folder / "run.trec", folder / "qrels" / "test.tsv"
    judged = ["--qrels", qrels]

    def of(content, *flags):
        run.write_text(content)
        return refused(capsys, "rankings", run, *(flags or judged))

    assert of("q0 Q0 p0 1 2 t\nq0 Q0 p0 2 1 t\n") == f"{run}:2: passage 'p0' twice for query 'q0'"
    assert of("q0 Q0 p0 1 nan t\n") == f"{run}:1: score must be a number, found 'nan'"
    assert of("q0 Q0 p0 1\n").startswith(f"{run}:1: expected 6 columns")
    assert of("x Q0 p0 1 1 t\n") == "no ranking is of a query that is judged: are they ids of another set?"
    assert of("q0 Q0 p0 1 1 t\n", "--k", "5") == "--qrels or --questions must say what is relevant"
    assert of("q0 Q0 p0 1 1 t\n", *judged, "--metrics", "ndcg@10", "--k", "5") == (
        "ndcg@10 looks deeper than the 5 passages of a ranking that count: raise k"
    )
    pattern = ["--answer-match", "regex"]
    asked = ["--index", folder / "index", "--questions", folder / "questions.jsonl", "--mode", "bm25"]
    judging = f"{qrels}: answer_match regex is how answers are looked for, and here the qrels judge"
    assert of("q0 Q0 p0 1 1 t\n", *judged, *pattern) == judging
    for suite in ("retrieval", "slices"):
        assert refused(capsys, suite, *asked, *judged, *pattern) == judging
    questions, broken = folder / "broken.jsonl", {"question": "who?", "answers": ["(open"]}
    questions.write_text(json.dumps(broken) + "\n")
    by_answers = ["--questions", questions, "--passages", folder / "corpus.jsonl", *pattern]
    assert of("1 Q0 p0 1 1 t\n", *by_answers) == (
        f"{questions}: question '1': answer '(open' is no regular expression: missing ) at position 5"
    )
    other = folder / "other.tsv"
    other.write_text("q0 0 x 1\n")
    asked = ["--index", folder / "index", "--questions", folder / "questions.jsonl", *CPU]
    assert refused(capsys, "retrieval", *asked, "--qrels", other) == (
        f"{other}: none of the 1 relevant passages is in the corpus: are they ids of another one?"
    )
    other.write_text("q0 0 p0 0\nother 0 p0 1\n")
    message = f"{other}: the qrels name no relevant passage for any of the questions"
    for suite in ("retrieval", "slices"):
        assert refused(capsys, suite, *asked, "--qrels", other) == message
    rankings = ["q0 Q0 p0 1 1 t\n", "--questions", folder / "questions.jsonl", "--qrels", other]
    assert of(*rankings) == message
    other.write_text("q0 0 p0 0\n")
    assert of("q0 Q0 p0 1 1 t\n", "--qrels", other) == f"{other}: the qrels name no relevant passage"
    other.write_text("q0 0 x 1\nq0 0 p0 1\n")
    printed(capsys, "retrieval", *asked, "--qrels", other)
    assert (
        "1 of 2 relevant passages are not in the corpus, all of those of 0 of 1 questions" in caplog.messages
    )
    assert any(
        "100 passages were asked for and no ranking has more than 10" in each for each in caplog.messages
    )


def test_a_model_of_another_dimension_than_the_index_is_refused(folder, plain_folder, capsys):
    small = BertModel(
        BertConfig(
            vocab_size=500, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
        ),
        add_pooling_layer=False,
    )
    settings = EncoderSettings(pooling="mean", max_length=32)
    Encoder(small, AutoTokenizer.from_pretrained(plain_folder), settings).save(folder / "small")
    flags = [
        "--index",
        folder / "index",
        "--questions",
        folder / "questions.jsonl",
        "--model",
        folder / "small",
    ]
    assert refused(capsys, "retrieval", *flags, *CPU) == (
        f"{folder / 'index'}: built with dimension 32, model '{folder / 'small'}' gives 16"
    )
