import json
import logging
import shutil
from pathlib import Path
from typing import get_args

import pytest
import torch
from filelock import FileLock
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

import retriever.search.sources as sources_module
from retriever.choices import Rejection
from retriever.config.index import IndexConfig
from retriever.config.mining import MineConfig
from retriever.data.dpr import read_dpr_examples
from retriever.errors import InputError
from retriever.index.build import build_index
from retriever.index.layout import read_manifest
from retriever.reporting.audit import REASONS
from retriever.search.mine_corpus import mine_corpus
from retriever.search.rerank import CrossEncoder

PASSAGES = {
    "paris": "the capital of france is paris on the river",
    "lyon": "the capital of good food in france is lyon",
    "rome": "the capital of italy is rome",
    "moon": "night and bright",
    "sun": "warm summer",
    "snow": "cold winter",
    "cats": "cats sat on mats",
    "dogs": "dogs ran in parks",
}  # so many that a word in three of them still tells them apart: France ranks before Italy


@pytest.fixture
def folder(tmp_path):
    rows = [{"id": name, "text": text} for name, text in PASSAGES.items()]
    (tmp_path / "passages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def mine(folder, questions: list[dict], **settings):
    (folder / "questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in questions))
    files = {"questions": folder / "questions.jsonl", "passages": folder / "passages.jsonl"}
    config = MineConfig(**{**files, "output": folder / "mined.jsonl", "device": "cpu", **settings})
    report = mine_corpus(config)
    return report, list(read_dpr_examples(folder / "mined.jsonl"))


QUESTION = {"id": "q", "question": "what is the capital of france"}


def test_a_named_positive_is_kept_and_the_next_best_passage_is_its_hard_negative(folder):
    report, [example] = mine(folder, [QUESTION | {"positive_passage_id": "paris"}])
    assert example.query.id == "q"
    assert [each.id for each in example.positives] == ["paris"]
    assert [each.id for each in example.hard_negatives] == ["lyon"]
    assert (report.questions, report.kept, report.without_negative) == (1, 1, 0)


def test_answers_alone_find_the_positive_by_search(folder):
    _, [example] = mine(folder, [QUESTION | {"answers": ["Rome"]}], num_hard_negatives=3)
    assert [each.id for each in example.positives] == ["rome"]
    assert sorted(each.id for each in example.hard_negatives) == ["lyon", "paris"]
    assert example.answers == ("Rome",)


def test_a_question_whose_answer_is_found_nowhere_is_left_out_aloud(folder, caplog):
    caplog.set_level(logging.WARNING)
    questions = [QUESTION | {"answers": ["Oslo"]}, QUESTION | {"id": "r", "answers": ["paris"]}]
    report, [example] = mine(folder, questions, depth=10)
    assert (example.query.id, report.questions, report.without_positive) == ("r", 1, 1)
    assert caplog.messages == ["1 of 2 questions left out: none of their first 10 passages holds an answer"]


def test_a_cross_encoders_scores_are_kept_for_the_next_mining(folder, plain_folder, monkeypatch):
    torch.manual_seed(1)
    config = BertConfig.from_pretrained(plain_folder, num_labels=1)
    BertForSequenceClassification(config).save_pretrained(folder / "reader")
    BertTokenizerFast.from_pretrained(plain_folder).save_pretrained(folder / "reader")
    question = QUESTION | {"positive_passage_id": "paris"}
    settings = {"cross_encoder": str(folder / "reader"), "cross_encoder_below": 1.0}
    _, [first] = mine(folder, [question], **settings)
    monkeypatch.setattr(CrossEncoder, "__call__", lambda self, pairs: pytest.fail("asked again"))
    _, [second] = mine(folder, [question], **settings)
    [negative] = second.hard_negatives
    assert second == first and 0 < negative.cross_encoder < 1


def test_dpr_training_data_keep_their_own_positives_and_get_new_hard_negatives(folder):
    own = {"title": "", "text": "paris it is", "passage_id": "own"}
    question = QUESTION | {"answers": ["paris"], "positive_ctxs": [own], "hard_negative_ctxs": []}
    _, [example] = mine(folder, [question])
    assert [each.id for each in example.positives] == ["own"]
    assert [each.id for each in example.hard_negatives] == ["lyon"]  # the passage on paris holds the answer


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ([QUESTION], "1: question 'q' has neither answers nor positive_passage_id"),
        (
            [QUESTION | {"answers": ["paris"]}, QUESTION | {"id": "r", "positive_passage_id": "rome"}],
            "2: question 'r' names its positive passage, the first question does not",
        ),
    ],
)
def test_a_question_without_what_it_needs_is_an_input_error_and_writes_nothing(folder, questions, message):
    with pytest.raises(InputError) as error:
        mine(folder, questions)
    assert str(error.value) == f"{folder / 'questions.jsonl'}:{message}"
    assert not (folder / "mined.jsonl").exists()


def test_the_output_may_not_be_an_input(folder):
    file = folder / "passages.jsonl"
    before = file.read_text()
    with pytest.raises(InputError) as error:
        mine_corpus(MineConfig(questions=folder / "q.jsonl", passages=file, output=file))
    assert str(error.value) == f"{file}: the output is one of the inputs"
    assert file.read_text() == before


def test_the_command_prints_its_counts(folder, capsys):
    from cli.main import main

    mine(folder, [QUESTION | {"positive_passage_id": "paris"}])
    flags = [f"--{name}={folder / name}.jsonl" for name in ("questions", "passages")]
    assert main(["mine", *flags, f"--output={folder / 'again.jsonl'}", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["output"], counts["questions"], counts["kept"]) == (str(folder / "again.jsonl"), 1, 1)
    assert (folder / "again.jsonl").read_bytes() == (folder / "mined.jsonl").read_bytes()


def test_a_positive_of_the_same_question_in_another_row_is_no_hard_negative(folder):
    again = {"id": "r", "question": "What is the capital of France "}
    _, examples = mine(
        folder, [QUESTION | {"positive_passage_id": "paris"}, again | {"positive_passage_id": "lyon"}]
    )
    assert [[each.id for each in example.positives] for example in examples] == [["paris"], ["lyon"]]
    assert [[each.id for each in example.hard_negatives] for example in examples] == [["rome"], ["rome"]]


def test_too_few_negatives_are_counted_and_none_at_all_is_said(folder, caplog):
    caplog.set_level(logging.WARNING)
    question = QUESTION | {"positive_passage_id": "paris"}
    report, _ = mine(folder, [question], num_hard_negatives=9)
    assert (report.short, report.without_negative, caplog.messages) == (1, 0, [])
    mine(folder, [question], depth=1)
    assert caplog.messages == [
        "1 of 1 questions have no mined hard negative: more passages than --depth 1, or other filters, may find one"
    ]


def test_other_filters_search_nothing_again(folder, monkeypatch):
    questions = [QUESTION | {"positive_passage_id": "paris"}]
    _, [example] = mine(folder, questions, num_hard_negatives=2)
    assert [each.id for each in example.hard_negatives] == ["lyon", "rome"]
    monkeypatch.setattr(sources_module, "Bm25Searcher", None)
    monkeypatch.setattr(sources_module, "read_passages", None)
    _, [example] = mine(folder, questions, num_hard_negatives=2, first_rank=3)
    assert [each.id for each in example.hard_negatives] == ["rome"]
    monkeypatch.undo()
    (folder / "passages.jsonl").write_text(json.dumps({"id": "paris", "text": "the capital"}) + "\n")
    report, [example] = mine(folder, questions)
    assert (example.hard_negatives, report.short) == ((), 1)  # the corpus is another one now


def test_a_cache_that_another_process_uses_is_left_alone(folder):
    cache = folder / "cache"
    cache.mkdir()
    with FileLock(cache / ".mining.lock"), pytest.raises(InputError) as error:
        mine(folder, [QUESTION | {"positive_passage_id": "paris"}], cache=cache)
    assert str(error.value) == f"{cache}: another process mines with this cache: wait until it is done"


@pytest.mark.parametrize("name", ["passages", "bm25"])
def test_a_folder_that_is_no_cache_of_ours_is_refused_and_kept(folder, name):
    (folder / "work" / name).mkdir(parents=True)
    (folder / "work" / name / "results.txt").write_text("mine")
    with pytest.raises(InputError) as error:
        mine(folder, [QUESTION | {"positive_passage_id": "paris"}], cache=folder / "work")
    assert str(error.value) == f"{folder / 'work'}: output folder exists and is not empty"
    assert (folder / "work" / name / "results.txt").read_text() == "mine"


def test_a_file_in_the_place_of_the_cache_is_told(folder):
    (folder / "work").write_text("mine")
    with pytest.raises(InputError) as error:
        mine(folder, [QUESTION | {"positive_passage_id": "paris"}], cache=folder / "work")
    assert str(error.value) == f"{folder / 'work'}: output folder exists and is a file"


def test_of_a_data_set_with_splits_the_training_questions_are_mined_for(folder):
    from datasets import Dataset, DatasetDict

    rows = {"question": [QUESTION["question"]], "positive_passage_id": ["paris"]}
    both = {"train": Dataset.from_dict(rows), "validation": Dataset.from_dict(rows)}
    DatasetDict(both).save_to_disk(folder / "saved")
    output = folder / "mined.jsonl"
    questions = Path(f"hf:{folder / 'saved'}")
    mine_corpus(MineConfig(questions=questions, passages=folder / "passages.jsonl", output=output))
    [example] = read_dpr_examples(output)
    assert [each.id for each in example.hard_negatives] == ["lyon"]


def test_a_second_index_of_another_corpus_is_refused(folder, index, model_folder):
    rows = [{"id": name, "text": f"another {text}"} for name, text in PASSAGES.items()]
    (folder / "others.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    others = folder / "other-index"
    build_index(
        IndexConfig(passages=folder / "others.jsonl", model=str(model_folder), output=others, device="cpu")
    )
    with pytest.raises(InputError) as error:
        mine(
            folder,
            [QUESTION | {"positive_passage_id": "paris"}],
            passages=None,
            searcher=(str(index), str(others)),
        )
    assert str(error.value) == f"{others}: its passage 'paris' is not that of the corpus that is mined"


def test_another_precision_encodes_the_corpus_again(folder, model_folder):
    settings = {"searcher": (str(model_folder),), "precision": "fp32"}
    mine(folder, [QUESTION | {"positive_passage_id": "paris"}], **settings)
    [made] = (folder / "mined.jsonl.cache").glob("index-*")
    assert read_manifest(made).precision == "fp32"
    mine(folder, [QUESTION | {"positive_passage_id": "paris"}], **{**settings, "precision": "bf16"})
    assert read_manifest(made).precision == "bf16"


def test_bad_passages_leave_no_cache_behind(folder):
    (folder / "passages.jsonl").write_text("{}")
    with pytest.raises(InputError) as error:
        mine(folder, [QUESTION | {"positive_passage_id": "paris"}])
    assert str(error.value) == f"{folder / 'passages.jsonl'}:1: no 'id' or '_id'"
    assert sorted(each.name for each in folder.iterdir()) == ["passages.jsonl", "questions.jsonl"]


@pytest.fixture
def index(folder, model_folder):
    return build_index(
        IndexConfig(
            passages=folder / "passages.jsonl",
            model=str(model_folder),
            output=folder / "index",
            bm25=True,
            device="cpu",
        )
    )


def test_an_index_mines_by_its_vectors_and_brings_its_passages(folder, index):
    from retriever.search.open import open_searcher

    _, [example] = mine(
        folder,
        [QUESTION | {"positive_passage_id": "paris"}],
        passages=None,
        searcher=(str(index),),
        num_hard_negatives=3,
    )
    [ranking] = open_searcher(index, device="cpu").search([QUESTION["question"]], 4)
    expected = [(rank, hit.id, hit.score) for rank, hit in enumerate(ranking, 1) if hit.id != "paris"][:3]
    assert [(each.rank, each.id, each.score) for each in example.hard_negatives] == expected
    assert {each.source for each in example.hard_negatives} == {str(index)}


def test_the_words_of_an_index_rank_as_those_of_the_corpus(folder, index):
    questions = [QUESTION | {"positive_passage_id": "paris"}]
    _, [own] = mine(folder, questions, num_hard_negatives=2)
    _, [other] = mine(folder, questions, searcher=(f"{index}@bm25",), passages=None, num_hard_negatives=2)
    assert [(each.id, each.score) for each in own.hard_negatives] == [
        (each.id, each.score) for each in other.hard_negatives
    ]


def test_a_model_encodes_the_corpus_once_and_again_when_it_changes(folder, model_folder, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    model = tmp_path / "model"
    shutil.copytree(model_folder, model)
    settings = {"searcher": ("bm25", str(model)), "share": (1.0, 1.0), "num_hard_negatives": 2}
    questions = [QUESTION | {"positive_passage_id": "paris"}]
    report, [first] = mine(folder, questions, **settings)
    assert report.kept_from == {"bm25": 1, str(model): 1}
    [made] = (folder / "mined.jsonl.cache").glob("index-*")
    before = (made / "CURRENT").read_text()
    assert mine(folder, questions, **settings)[1] == [first]
    assert (made / "CURRENT").read_text() == before
    settings_file = next(model.rglob("encoder.json"))
    values = json.loads(settings_file.read_text())
    settings_file.write_text(json.dumps({**values, "pooling": "cls"}))
    pooling = next(model.rglob("1_Pooling/config.json"))
    pooling.write_text(json.dumps({**json.loads(pooling.read_text()), "pooling_mode": "cls"}))
    mine(folder, questions, **settings)
    assert (
        f"{model} is another model now, or the passages are others: they are encoded again" in caplog.messages
    )
    assert (made / "CURRENT").read_text() != before


def test_a_second_round_keeps_the_negatives_of_the_first(folder, index):
    _, [first] = mine(folder, [QUESTION | {"positive_passage_id": "paris"}])
    round1 = [json.loads((folder / "mined.jsonl").read_text())]
    _, [second] = mine(
        folder,
        round1,
        searcher=(str(index),),
        keep_negatives=True,
    )
    assert second.hard_negatives[:1] == first.hard_negatives
    assert [each.source for each in second.hard_negatives] == ["bm25", str(index)]


def test_an_index_of_other_passages_is_refused(folder, index):
    rows = [{"id": name, "text": f"another {text}"} for name, text in PASSAGES.items()]
    (folder / "others.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError) as error:
        mine(
            folder, [QUESTION | {"answers": ["x"]}], passages=folder / "others.jsonl", searcher=(str(index),)
        )
    assert str(error.value) == f"{index}: its passage 'paris' is not that of the corpus that is mined"


def test_positives_with_an_id_of_the_corpus_and_another_text_are_told(folder, caplog):
    own = {"title": "", "text": "quite another story of a boat", "passage_id": "rome"}
    mine(folder, [QUESTION | {"positive_ctxs": [own], "hard_negative_ctxs": []}])
    assert caplog.messages == [
        "1 positives have the id of a passage of the corpus and another text: "
        f"was {folder / 'questions.jsonl'} made for another corpus?"
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"passages": None},
            "passages is required with --searcher bm25; INDEX@bm25 searches the words of an index",
        ),
        ({"searcher": ("nowhere@bm25",)}, "nowhere: there is no index"),
        (
            {"passages": None, "searcher": ("nowhere",)},
            "passages is required: --searcher nowhere is no index",
        ),
        ({"share": (1.0, 2.0)}, "share must be given once a --searcher: 2 shares for 1 searchers"),
        ({"first_rank": 101}, "first_rank 101 is beyond --depth 100: nothing would be left"),
        (
            {"near_duplicate": 0.5, "drop_near_duplicates": False},
            "near_duplicate is of a filter that is off: leave --allow-near-duplicates out",
        ),
        (
            {"cross_encoder_below": 0.5},
            "cross_encoder_below is of a cross-encoder, and there is none: add --cross-encoder",
        ),
        (
            {"searcher": ("x",), "bm25_formula": "lucene"},
            "bm25_formula is of --searcher bm25, which is not asked for",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(folder, settings, message):
    with pytest.raises(InputError) as error:
        mine(folder, [QUESTION | {"positive_passage_id": "paris"}], **settings)
    assert str(error.value) == message
    assert not (folder / "mined.jsonl").exists()


def test_the_audit_shows_what_was_kept_and_rejected_and_why_and_runs_nothing(folder, capsys):
    from cli.main import main

    question = {"id": "<q>", "question": "capital of <b>france</b>?", "answers": ["Paris"]}
    (folder / "questions.jsonl").write_text(json.dumps(question) + "\n")
    flags = [f"--{name}={folder / name}.jsonl" for name in ("questions", "passages")]
    page = folder / "audit.html"
    assert main(["mine", *flags, f"--output={folder / 'out.jsonl'}", f"--audit={page}"]) == 0
    text = page.read_text()
    assert "capital of &lt;b&gt;france&lt;/b&gt;?" in text and "<b>france" not in text
    assert "1 hard negatives for 1 questions" in text
    assert (
        "<td class='verdict rejected'>a positive of the question</td><td>bm25</td><td class='number'>1</td>"
        in text
    )
    assert "<td class='verdict kept'>kept</td><td>bm25</td><td class='number'>2</td>" in text
    assert "france is <mark>paris</mark> on the river" in text
    assert "<script" not in text and "http" not in text
    assert "kept from bm25         1" in capsys.readouterr().out


def test_every_rejection_has_words():
    assert set(REASONS) == set(get_args(Rejection))


def test_an_output_that_is_there_is_replaced_aloud(folder, caplog):
    caplog.set_level(logging.INFO)
    (folder / "mined.jsonl").write_text("old\n")
    mine(folder, [QUESTION | {"positive_passage_id": "paris"}])
    assert f"{folder / 'mined.jsonl'} is there already, and will be replaced" in caplog.messages


def test_a_beir_folder_brings_its_positives_and_says_once_what_it_leaves_out(folder, caplog):
    beir = folder / "beir"
    (beir / "qrels").mkdir(parents=True)
    rows = [{"_id": name, "title": "", "text": text} for name, text in PASSAGES.items()]
    (beir / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    queries = [{"_id": "q", "text": QUESTION["question"]}, {"_id": "r", "text": "who sat on mats"}]
    (beir / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (beir / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq\tparis\t1\nr\tcats\t0\n")
    config = MineConfig(
        questions=beir, passages=beir / "corpus.jsonl", output=folder / "mined.jsonl", device="cpu"
    )
    mine_corpus(config)
    [example] = read_dpr_examples(folder / "mined.jsonl")
    assert [each.id for each in example.positives] == ["paris"]
    assert [each.id for each in example.hard_negatives] == ["lyon"]
    left_out = "1 of 2 judged questions have no passage judged above 0: left out"
    assert [each for each in caplog.messages if left_out in each] == [
        f"{beir / 'qrels' / 'train.tsv'}: {left_out}"
    ]
