"""``ctl eval slices`` from flags to result, on the tiny encoder."""

import json

import pytest

from cli.main import main

CPU = ["--device", "cpu", "--precision", "fp32"]


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def index(tmp_path, passages, model_folder):
    """An index of ten passages with BM25, one of which is longer than the model reads."""
    rows = [{"id": p.id, "title": p.title, "text": p.text} for p in passages]
    rows[0]["text"] += " cat" * 40
    source = write_jsonl(tmp_path / "passages.jsonl", rows)
    flags = ["--passages", str(source), "--model", str(model_folder), "--output", str(tmp_path / "index")]
    assert main(["index", *flags, "--bm25", *CPU]) == 0
    return tmp_path / "index"


@pytest.fixture
def questions(tmp_path, passages):
    """Each passage's text as its question; one of no corpus, and one that cannot be judged."""
    rows = [
        {
            "id": f"q{number}",
            "question": f"{'who' if number < 4 else 'what'} {p.text}",
            "positive_passage_id": p.id,
        }
        for number, p in enumerate(passages)
    ]
    rows.append({"id": "gone", "question": "who is it", "positive_passage_id": "p99"})
    rows.append({"id": "open", "question": "who sings"})
    return write_jsonl(tmp_path / "questions.jsonl", rows)


def results(capsys, *flags):
    capsys.readouterr()
    assert main(["eval", "slices", *map(str, flags), "--json", *CPU]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_every_slice_holds_every_judged_question_once(index, questions, capsys):
    flags = ["--index", index, "--questions", questions, "--k", "5", "--least", "2", "--against", "bm25"]
    result, said = results(capsys, *flags)
    found = result["slices"]["questions"]
    assert (found["questions"], found["unjudged"]) == (11, 1)
    assert "1 of 12 questions cannot be judged and are in no slice" in said
    names = dict.fromkeys(each["slice"] for each in found["groups"])
    assert list(names) == list(result["policy"]["slices"])
    for name in names:
        assert sum(each["questions"] for each in found["groups"] if each["slice"] == name) == 11
    groups = {(each["slice"], each["group"]): each for each in found["groups"]}
    assert groups["first_word", "what"]["questions"] == 6
    assert groups["first_word", "who"]["questions"] == 5
    assert groups["passage_cut", "cut"]["questions"] == 1
    assert groups["passage_cut", "whole"]["questions"] == 9
    assert groups["passage_cut", "not known"]["accuracy@5"] == 0
    assert groups["all", ""]["accuracy@5_low"] <= groups["all", ""]["accuracy@5"]
    assert set(result) == {"slices", "policy", "model", "data", "versions"}
    assert (result["model"]["mode"], result["model"]["against"]) == ("dense", "bm25")
    assert result["policy"]["fusion"] is None
    against = groups["all", ""]["against"]
    assert sum(against[each] for each in ("both", "first_only", "second_only", "neither")) == 11
    assert against["both"] + against["second_only"] == 10  # BM25 finds each passage by its own words
    assert len(found["examples"]["only_bm25"]) == min(5, against["second_only"])
    assert against["difference"] == pytest.approx((against["first_only"] - against["second_only"]) / 11)


def test_slices_agree_with_the_evaluation_of_all(index, questions, tmp_path, capsys):
    judged = tmp_path / "judged.jsonl"
    judged.write_text("".join(questions.read_text().splitlines(keepends=True)[:10]))
    flags = ["--index", str(index), "--questions", str(judged), "--mode", "bm25"]
    sliced, _ = results(capsys, *flags)
    assert main(["eval", "retrieval", *flags, "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)["retrieval"]["judged"]
    every = sliced["slices"]["judged"]["groups"][0]
    for name in ("accuracy@1", "accuracy@20", "accuracy@20_low"):
        assert every[name] == pytest.approx(whole[name])
    assert "passage_cut" not in {each["slice"] for each in sliced["slices"]["judged"]["groups"]}


def test_any_k_is_a_cut_off(index, questions, tmp_path, capsys):
    judged = tmp_path / "judged.jsonl"
    judged.write_text("".join(questions.read_text().splitlines(keepends=True)[:10]))
    flags = ["--index", str(index), "--questions", str(judged), "--mode", "bm25"]
    sliced, _ = results(capsys, *flags, "--k", "3")
    assert main(["eval", "retrieval", *flags, "--metrics", "accuracy@3", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)["retrieval"]["judged"]
    assert sliced["slices"]["judged"]["groups"][0]["accuracy@3"] == pytest.approx(whole["accuracy@3"])


def test_hybrid_search_says_how_it_was_fused(index, questions, capsys):
    flags = ["--index", index, "--questions", questions]
    result, _ = results(capsys, *flags, "--mode", "hybrid", "--against", "bm25", "--fusion", "rrf")
    assert result["policy"]["fusion"]["method"] == "rrf"
    result, _ = results(capsys, *flags, "--against", "hybrid")
    assert result["policy"]["fusion"]["method"] == "zscore"


def test_fusion_is_of_the_other_mode_too(index, questions, capsys):
    flags = ["--index", index, "--questions", questions]
    result, _ = results(capsys, *flags, "--against", "hybrid", "--fusion", "rrf")
    assert result["policy"]["fusion"]["method"] == "rrf"
    assert main(["eval", "slices", *map(str, flags), "--against", "bm25", "--fusion", "rrf"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: --fusion is of mode hybrid, and the mode is dense and bm25"
    )


def test_what_stands_behind_the_slices_is_that_of_the_evaluation(index, questions, tmp_path, capsys):
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("q0 0 q0 2\nq0 0 p0 1\nq1 0 q1 1\n")
    flags = ["--index", str(index), "--questions", str(questions), "--qrels", str(qrels), "--mode", "bm25"]
    flags += ["--self-hits", "drop", "--ties", "trec_eval", "--unjudged", "left_out"]
    sliced, _ = results(capsys, *flags)
    assert main(["eval", "retrieval", *flags, "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    for name in ("ties", "unjudged", "self_hits", "answer_match", "precision", "judged_by", "order"):
        assert sliced["policy"][name] == whole["policy"][name]
    assert (sliced["policy"]["ties"], sliced["policy"]["precision"]) == ("trec_eval", None)
    assert sliced["data"] == whole["data"]
    found = sliced["slices"]["questions"]
    assert (found["questions"], found["counts"]["self_judgements"]) == (1, 2)
    evaluated = whole["retrieval"]["questions"]
    assert found["counts"] == {name: evaluated[name] for name in found["counts"]}


def test_qrels_judge_and_their_best_passage_is_the_gold_one(index, questions, tmp_path, capsys):
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\nq0\tp1\t1\nq0\tp9\t2\nq1\tp1\t1\n")
    flags = ["--index", index, "--questions", questions, "--qrels", qrels, "--mode", "bm25", "--least", "1"]
    result, _ = results(capsys, *flags)
    found = result["slices"]["questions"]
    assert (found["questions"], found["unjudged"], result["policy"]["judged_by"]) == (2, 10, "qrels")
    words = [each for each in found["groups"] if each["slice"] == "passage_words"]
    assert [(each["group"], each["questions"]) for each in words] == [("6", 2)]  # p9 and p1; p0 is long


def test_for_people_there_is_a_table_and_one_of_the_two_modes_with_examples(index, questions, capsys):
    flags = ["--index", str(index), "--questions", str(questions), "--mode", "bm25", "--against", "dense"]
    assert main(["eval", "slices", *flags, "--k", "1", *CPU]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "bm25, judged by gold passage"
    assert lines[1].split() == ["slice", "group", "questions", "accuracy@1", "95", "%", "from", "to"]
    assert lines[2].split()[:3] == ["all", "11", "0.9091"]
    assert "questions answered in the first 1" in lines
    assert "examples, highest ranked first" in lines
    assert any(line.startswith("only bm25") for line in lines)
    assert "first_word: 2 first words with too few questions are merged (--least)" in said.err


def test_questions_with_answers_only_are_judged_by_them(index, tmp_path, capsys):
    rows = [{"question": "what plays the piano", "answers": ["king"]}, {"question": "who is there"}]
    file = write_jsonl(tmp_path / "answers.jsonl", rows)
    result, _ = results(capsys, "--index", index, "--questions", file, "--mode", "bm25")
    found = result["slices"]["answers"]
    assert (found["questions"], found["unjudged"], result["policy"]["judged_by"]) == (1, 1, "answer string")
    overlap = [each["group"] for each in found["groups"] if each["slice"] == "overlap"]
    assert overlap == ["not known"]


def test_bad_input_is_one_sentence(index, questions, tmp_path, capsys):
    def fails(*flags):
        assert main(["eval", "slices", "--index", str(index), *map(str, flags), *CPU]) == 2
        return capsys.readouterr().err.splitlines()[-1]

    assert fails() == "error: --questions is required"
    asked = ["--questions", questions]
    assert fails(*asked, "--k", "0") == "error: --k must be at least 1, got 0"
    same = "error: --against must be another mode than --mode dense"
    assert fails(*asked, "--against", "dense") == same
    no_model = "error: --model is of modes dense and hybrid, and the mode is bm25"
    assert fails(*asked, "--mode", "bm25", "--model", "m") == no_model
    file = write_jsonl(tmp_path / "none.jsonl", [{"id": "q", "question": "who is there"}])
    assert fails("--questions", file, "--mode", "bm25") == (
        f"error: {file}: question 'q' has neither answers nor a positive passage id, and there are no qrels"
    )
