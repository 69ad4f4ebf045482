import json

from tests.data.converting import beir_folder, dpr_question, lines, objects_of, run, write

SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Oil",
            "paragraphs": [
                {
                    "context": "It began in October 1973. In October it rose.",
                    "qas": [
                        {
                            "id": "s1",
                            "question": "When did it begin?",
                            "is_impossible": False,
                            "answers": [
                                {"text": "October 1973", "answer_start": 12},
                                {"text": "October", "answer_start": 29},
                                {"text": "October 1973", "answer_start": 12},
                            ],
                        },
                        {
                            "id": "s2",
                            "question": "When did it end?",
                            "is_impossible": True,
                            "answers": [],
                            "plausible_answers": [{"text": "October", "answer_start": 12}],
                        },
                    ],
                },
                {"context": "Nobody asked.", "qas": []},
            ],
        }
    ],
}


def squad_file(tmp_path):
    return write(tmp_path / "squad.json", json.dumps(SQUAD, indent=1))


def test_squad_becomes_questions_and_passages(tmp_path):
    name, report = run(squad_file(tmp_path), "ctl", tmp_path / "out")
    assert name == "squad"
    passages = objects_of(tmp_path / "out/passages.jsonl")
    assert [(each["title"], each["text"]) for each in passages] == [
        ("Oil", "It began in October 1973. In October it rose."),
        ("Oil", "Nobody asked."),
    ]
    assert objects_of(tmp_path / "out/questions.jsonl") == [
        {
            "id": "s1",
            "question": "When did it begin?",
            "answers": ["October 1973", "October"],
            "positive_passage_id": [passages[0]["id"]],
        },
        {"id": "s2", "question": "When did it end?", "answers": [], "positive_passage_id": []},
    ]
    assert report.made == {"ids of passages, from title and text": 2}
    assert report.dropped == {
        "places of answers, other than the first of the same words": 1,
        "answers that several people gave": 1,
        "plausible answers": 1,
        "hard negatives": 1,
    }


def test_a_question_that_cannot_be_answered_goes_through_dpr_only_with_a_positive(tmp_path):
    _, report = run(squad_file(tmp_path), "dpr", tmp_path / "out.json")
    assert [each["id"] for each in json.loads((tmp_path / "out.json").read_text())] == ["s1"]
    assert report.dropped["questions without a positive passage"] == 1
    assert report.dropped["passages that no question names"] == 1


def test_squad_comes_back_but_for_what_was_said(tmp_path):
    _, report = run(squad_file(tmp_path), "squad", tmp_path / "again.json")
    assert report.written == {"questions": 2}
    assert report.dropped == {
        "places of answers, other than the first of the same words": 1,
        "answers that several people gave": 1,
        "plausible answers": 1,
        "passages that no question names": 1,
    }
    (article,) = json.loads((tmp_path / "again.json").read_text())["data"]
    (paragraph,) = article["paragraphs"]
    assert (article["title"], paragraph["context"]) == ("Oil", SQUAD["data"][0]["paragraphs"][0]["context"])
    assert paragraph["qas"] == [
        {
            "id": "s1",
            "question": "When did it begin?",
            "answers": [
                {"text": "October 1973", "answer_start": 12},
                {"text": "October", "answer_start": 12},
            ],
            "is_impossible": False,
        },
        {"id": "s2", "question": "When did it end?", "answers": [], "is_impossible": True},
    ]


def test_rows_of_the_hubs_squad_are_read(tmp_path):
    rows = [
        {
            "id": "1",
            "title": "T",
            "context": "In May.",
            "question": "When?",
            "answers": {"text": ["May"], "answer_start": [3]},
        },
        {
            "id": "2",
            "title": "T",
            "context": "In May.",
            "question": "Who?",
            "answers": {"text": [], "answer_start": []},
        },
    ]
    name, _ = run(write(tmp_path / "rows.jsonl", lines(*rows)), "squad", tmp_path / "out.json")
    assert name == "squad"
    (article,) = json.loads((tmp_path / "out.json").read_text())["data"]
    assert [each["is_impossible"] for each in article["paragraphs"][0]["qas"]] == [False, True]


def test_squad_takes_only_answers_that_are_in_the_passage(tmp_path):
    path = write(
        tmp_path / "q.jsonl",
        lines(dpr_question(answers=["Ada", "Lovelace"]), dpr_question(answers=["Lovelace"])),
    )
    _, report = run(path, "squad", tmp_path / "out.json")
    (article,) = json.loads((tmp_path / "out.json").read_text())["data"]
    assert article["paragraphs"][0]["qas"][0]["answers"] == [{"text": "Ada", "answer_start": 0}]
    assert report.written == {"questions": 1}
    assert report.dropped["questions without a passage, or without an answer in one"] == 1
    assert report.dropped["answers that are not in the passage"] == 1


def test_what_mining_says_of_a_negative_survives_from_dpr_to_dpr(tmp_path):
    path = write(tmp_path / "mined.jsonl", lines(dpr_question(id="q", prompt="find")))
    _, report = run(path, "dpr", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == [dpr_question(id="q", prompt="find")]
    assert not report.dropped and not report.made


def test_scores_go_to_flagembedding_where_every_passage_has_one(tmp_path):
    scored = dpr_question(
        positive_ctxs=[{"text": "Ada did.", "score": 9}], hard_negative_ctxs=[{"text": "Bob.", "score": 3.5}]
    )
    run(write(tmp_path / "scored.jsonl", lines(scored)), "flagembedding", tmp_path / "out.jsonl")
    assert objects_of(tmp_path / "out.jsonl") == [
        {"query": "who?", "pos": ["Ada did."], "neg": ["Bob."], "pos_scores": [9], "neg_scores": [3.5]}
    ]
    del scored["positive_ctxs"][0]["score"]
    path = write(tmp_path / "scored.jsonl", lines(scored))
    _, report = run(path, "flagembedding", tmp_path / "out.jsonl")
    assert objects_of(tmp_path / "out.jsonl") == [{"query": "who?", "pos": ["Ada did."], "neg": ["Bob."]}]
    assert report.dropped == {
        "answers": 1,
        "scores of questions in which not every passage has a number": 1,
    }


def test_the_scores_of_a_search_are_no_teachers(tmp_path):
    positive = {
        "title": "A",
        "text": "Ada did.",
        "passage_id": "1",
        "score": 9.0,
        "source": "bm25",
        "rank": 1,
    }
    path = write(tmp_path / "mined.jsonl", lines(dpr_question(positive_ctxs=[positive])))
    _, report = run(path, "flagembedding", tmp_path / "out.jsonl")
    assert objects_of(tmp_path / "out.jsonl") == [
        {"query": "who?", "pos": ["Ada did."], "neg": ["Bob.", "Cyd."]}
    ]
    assert report.dropped == {
        "answers": 1,
        "ids of passages": 3,
        "titles (--join-titles puts them before the texts)": 1,
        "'rank' of passages": 3,
        "'source' of passages": 3,
        "scores of a search, which are no teacher's": 3,
    }


def test_titles_are_joined_on_demand_and_counted(tmp_path):
    path = write(tmp_path / "q.jsonl", lines(dpr_question()))
    _, report = run(path, "flagembedding", tmp_path / "out.jsonl", join_titles=True)
    assert objects_of(tmp_path / "out.jsonl")[0]["pos"] == ["A Ada did."]
    assert report.changed == {"titles joined to their texts": 1}


def test_flagembedding_scores_and_prompt_survive_the_way_through_dpr(tmp_path):
    row = {
        "query": "who?",
        "pos": ["a"],
        "neg": ["b", "c"],
        "pos_scores": [9],
        "neg_scores": [1.5, 2],
        "prompt": "find",
        "type": "normal",
    }
    run(write(tmp_path / "f.jsonl", lines(row)), "dpr", tmp_path / "d.jsonl")
    run(tmp_path / "d.jsonl", "flagembedding", tmp_path / "again.jsonl")
    assert objects_of(tmp_path / "again.jsonl") == [row]


def test_triplets_are_rows_of_each_positive_and_negative_or_of_k_negatives(tmp_path):
    two = [{"title": "", "text": "Ada."}, {"title": "", "text": "Eve."}]
    path = write(tmp_path / "q.jsonl", lines(dpr_question(positive_ctxs=two)))
    run(path, "triplets", tmp_path / "t.jsonl")
    texts = [("Ada.", "Bob."), ("Ada.", "Cyd."), ("Eve.", "Bob."), ("Eve.", "Cyd.")]
    assert objects_of(tmp_path / "t.jsonl") == [
        {"anchor": "who?", "positive": one, "negative": other} for one, other in texts
    ]
    run(path, "triplets", tmp_path / "k.csv", num_hard_negatives=2)
    assert (tmp_path / "k.csv").read_text() == (
        "anchor,positive,negative_1,negative_2\nwho?,Ada.,Bob.,Cyd.\nwho?,Eve.,Bob.,Cyd.\n"
    )
    _, report = run(path, "triplets", tmp_path / "one.tsv", num_hard_negatives=1)
    assert (tmp_path / "one.tsv").read_text() == "who?\tAda.\tBob.\nwho?\tEve.\tBob.\n"
    assert report.dropped["hard negatives beyond the first 1"] == 1


def test_rows_of_one_anchor_are_one_question_wherever_they_stand(tmp_path):
    rows = [("a b", "p 1", "n 1"), ("c d", "p 2", "n 1"), ("a b", "p 1", "n 2"), ("a b", "p 3", "n 1")]
    path = write(tmp_path / "triples.tsv", "".join("\t".join(row) + "\n" for row in rows))
    name, _ = run(path, "flagembedding", tmp_path / "out.jsonl")
    assert name == "triplets"
    assert objects_of(tmp_path / "out.jsonl") == [
        {"query": "a b", "pos": ["p 1", "p 3"], "neg": ["n 1", "n 2"]},
        {"query": "c d", "pos": ["p 2"], "neg": ["n 1"]},
    ]


def test_passages_without_text_are_no_part_of_a_triplet(tmp_path):
    path = write(
        tmp_path / "q.jsonl", lines(dpr_question(hard_negative_ctxs=[{"text": ""}, {"text": "Bob."}]))
    )
    _, report = run(path, "triplets", tmp_path / "t.jsonl")
    assert len(objects_of(tmp_path / "t.jsonl")) == 1
    assert report.dropped["passages without text"] == 1


def test_grades_survive_from_beir_to_ms_marco_and_through_dpr(tmp_path):
    name, report = run(beir_folder(tmp_path), "msmarco", tmp_path / "ms")
    assert name == "beir"
    assert sorted(each.name for each in (tmp_path / "ms").iterdir()) == [
        "collection.tsv",
        "qrels.test.tsv",
        "queries.test.tsv",
    ]
    assert (tmp_path / "ms/qrels.test.tsv").read_text() == "q1\t0\td1\t2\nq1\t0\td2\t0\n"
    assert (tmp_path / "ms/collection.tsv").read_text() == "d1\tfirst\nd2\tsecond\nd3\t\n"
    assert report.read == {"passages": 3, "questions": 1}
    assert report.written == {"passages": 3, "questions": 1}
    assert report.dropped == {
        "'metadata' of the corpus": 1,
        "'metadata' of questions": 1,
        "questions that test.tsv does not judge": 1,
        "titles (--join-titles puts them before the texts)": 1,
    }
    run(tmp_path / "beir", "dpr", tmp_path / "d.jsonl")
    (example,) = objects_of(tmp_path / "d.jsonl")
    assert example["hard_negative_ctxs"] == [{"title": "", "text": "second", "passage_id": "d2", "grade": 0}]
    assert example["metadata"] == {"lang": "en"}
    run(tmp_path / "d.jsonl", "beir", tmp_path / "again", split="test")
    assert (tmp_path / "again/qrels/test.tsv").read_text() == (tmp_path / "beir/qrels/test.tsv").read_text()


def test_ms_marco_triples_give_and_take_hard_negatives(tmp_path):
    path = write(tmp_path / "q.jsonl", lines(dpr_question(id="9")))
    run(path, "msmarco", tmp_path / "ms")
    triples = tmp_path / "ms/qidpidtriples.train.tsv"
    assert triples.read_text() == "9\t1\t2\n9\t1\t3\n"
    run(tmp_path / "ms", "tevatron-ids", tmp_path / "tevatron")
    assert objects_of(tmp_path / "tevatron/train.jsonl") == [
        {
            "query_id": "9",
            "query_text": "who?",
            "answers": [],
            "positive_document_ids": ["1"],
            "negative_document_ids": ["2", "3"],
        }
    ]
    assert objects_of(tmp_path / "tevatron/corpus.jsonl")[1] == {"docid": "2", "title": "", "text": "Bob."}
    triples.write_text("9\t2\t3\n9\t1\t1\n8\t1\t2\n9\t1\t2\n")
    _, report = run(tmp_path / "ms", "dpr", tmp_path / "o.jsonl")
    (example,) = objects_of(tmp_path / "o.jsonl")
    assert [each["passage_id"] for each in example["hard_negative_ctxs"]] == ["2"]
    assert report.dropped == {
        "triples whose positive is not judged above 0": 1,
        "triples whose negative is judged above 0": 1,
        "triples of a question without judgement": 1,
        "passages that no question names": 1,
    }


def test_tevatrons_two_generations(tmp_path):
    old = {
        "query_id": "7",
        "query": "who?",
        "answers": ["Ada"],
        "positive_passages": [{"docid": "1", "title": "A", "text": "Ada did."}],
        "negative_passages": [{"docid": "2", "title": "", "text": "Bob."}],
    }
    name, report = run(write(tmp_path / "v1.jsonl", lines(old)), "tevatron-ids", tmp_path / "v2")
    assert name == "tevatron" and not report.dropped
    assert run(tmp_path / "v2", "tevatron", tmp_path / "again.jsonl")[0] == "tevatron-ids"
    assert objects_of(tmp_path / "again.jsonl") == [old]


def test_what_squads_objects_hold_beside_is_counted_or_kept(tmp_path):
    asked = {
        "id": "1",
        "question": "When?",
        "difficulty": "low",
        "answers": [{"text": "May", "answer_start": 3, "answer_category": "SHORT"}],
    }
    paragraph = {"context": "In May.", "document_id": 7, "qas": [asked]}
    path = write(tmp_path / "s.json", json.dumps({"data": [{"title": "T", "paragraphs": [paragraph]}]}))
    _, report = run(path, "dpr", tmp_path / "d.jsonl")
    assert objects_of(tmp_path / "d.jsonl")[0]["difficulty"] == "low"
    assert report.dropped == {"'document_id' of paragraphs": 1, "'answer_category' of answers": 1}
