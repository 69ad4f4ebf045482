"""Training questions without hard negatives: they are mined first, kept in the run, and used again when it is resumed."""

import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest

from retriever.config.training import TrainDprConfig
from retriever.data.dpr import read_dpr_examples
from retriever.encoding.encoder import Encoder
from retriever.errors import InputError
from retriever.training import mined
from retriever.training.dpr import train_dpr

THINGS = ("cat", "dog", "king", "queen", "car", "bird", "moon", "tree")
ACTIONS = ("sat", "ran", "plays", "sings")


@pytest.fixture
def config(tmp_path, model_folder):
    pairs = [(thing, action) for thing in THINGS for action in ACTIONS]
    passages = [
        {"id": str(row), "text": f"the {thing} {action} in the park"}
        for row, (thing, action) in enumerate(pairs)
    ]
    questions = [
        {"question": f"which {thing} {action} ?", "positive_passage_id": str(row)}
        for row, (thing, action) in enumerate(pairs)
    ]
    for name, rows in (("passages", passages), ("questions", questions)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return TrainDprConfig(
        train=(tmp_path / "questions.jsonl",),
        passages=tmp_path / "passages.jsonl",
        output=tmp_path / "run",
        model=str(model_folder),
        batch_size=16,
        max_steps=2,
        query_max_length=16,
        passage_max_length=24,
        device="cpu",
        precision="fp32",
    )


class Counted:
    """A function, and how often it was called."""

    def __init__(self, function):
        self.function, self.times = function, 0

    def __call__(self, *given, **named):
        self.times += 1
        return self.function(*given, **named)


AFTER_THE_MINING = "retriever.training.dpr.run_recipe"


def kill_at(place, config, monkeypatch):
    """Train until a function is called; what ends it there no ``except`` for wrong input catches."""

    def kill(*given, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(place, kill)
        train_dpr(config)


def test_questions_without_negatives_are_mined_and_the_file_stays_in_the_run(config):
    run = train_dpr(config)
    examples = list(read_dpr_examples(run / "mined" / "0.jsonl"))
    assert len(examples) == 32
    for each in examples:
        [positive] = each.positives
        thing, action = each.query.text.split()[1:3]
        assert positive.text == f"the {thing} {action} in the park"
        assert {negative.source for negative in each.hard_negatives} == {"bm25"}
        first = each.hard_negatives[0].text.split()
        assert (thing in first) != (action in first)  # one word of the question, but not both
    assert sorted(each.name for each in (run / "mined").iterdir()) == ["0.json", "0.jsonl"]


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 1),
        ({"epochs": 3}, 3),
        ({"num_hard_negatives": 2, "epochs": 2}, 4),
        ({"epochs": 3, "train_rate": (0.5,)}, 2),
        ({"epochs": 9}, 5),
        ({"epochs": 2, "num_hard_negatives": 7}, 7),
    ],
)
def test_as_many_are_mined_as_the_epochs_draw(config, settings, count, monkeypatch):
    monkeypatch.setattr(mined, "MOST_MINED", 5)
    run = train_dpr(replace(config, **settings))
    [number] = {len(each.hard_negatives) for each in read_dpr_examples(run / "mined" / "0.jsonl")}
    assert number == count


def test_hardest_first_trains_with_the_first_ones_of_the_file(config, tmp_path):
    """In one epoch just as if no question had any others."""
    rows = (train_dpr(replace(config, epochs=4)) / "mined" / "0.jsonl").read_text().splitlines()
    cut = [{**row, "hard_negative_ctxs": row["hard_negative_ctxs"][:1]} for row in map(json.loads, rows)]
    files = {"all": rows, "first": list(map(json.dumps, cut))}
    vectors = {}
    for name, first in (("all", False), ("all", True), ("first", False)):
        file, output = tmp_path / f"{name}.jsonl", tmp_path / f"{name}-{first}"
        file.write_text("\n".join(files[name]) + "\n")
        train_dpr(replace(config, train=(file,), output=output, hardest_first=first, learning_rate=1e-3))
        vectors[name, first] = Encoder.load(output, device="cpu", precision="fp32").encode([*THINGS])
    np.testing.assert_allclose(vectors["all", True], vectors["first", False], atol=1e-6)
    assert np.abs(vectors["all", True] - vectors["all", False]).max() > 1e-3


@pytest.mark.parametrize("settings", [{"mine": False}, {"num_hard_negatives": 0}])
def test_nothing_is_mined_where_it_is_not_wanted(config, settings):
    run = train_dpr(replace(config, **settings))
    assert not (run / "mined").exists()


def test_files_that_bring_passages_train_as_they_are(config, tmp_path):
    passage = {"title": "", "text": "the cat sat"}
    rows = [
        {"question": f"who {n} ?", "positive_ctxs": [{**passage, "text": f"the cat {n}"}]} for n in range(16)
    ]
    own = tmp_path / "own.jsonl"
    own.write_text("".join(json.dumps(each) + "\n" for each in rows))
    run = train_dpr(replace(config, train=(own, *config.train)))
    assert sorted(each.name for each in (run / "mined").iterdir()) == ["1.json", "1.jsonl"]


def beir(tmp_path):
    """24 questions to train on and 8 for dev, of 32 passages."""
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    pairs = [(thing, action) for thing in THINGS for action in ACTIONS]
    rows = {
        "corpus": [
            {"_id": f"p{n}", "title": "", "text": f"the {a} {b} in the park"}
            for n, (a, b) in enumerate(pairs)
        ],
        "queries": [{"_id": f"q{n}", "text": f"which {a} {b} ?"} for n, (a, b) in enumerate(pairs)],
    }
    for name, objects in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in objects))
    for split, numbers in (("train", range(24)), ("dev", range(24, 32))):
        judged = "".join(f"q{n}\tp{n}\t1\n" for n in numbers)
        (folder / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    return folder


def test_a_beir_folder_is_mined_in_its_own_corpus_which_fills_the_dev_pool_too(config, tmp_path, caplog):
    folder = beir(tmp_path)
    with caplog.at_level(logging.INFO, "retriever"):
        run = train_dpr(replace(config, train=(folder,), dev=folder, passages=None))
    examples = list(read_dpr_examples(run / "mined" / "0.jsonl"))
    assert len(examples) == 24 and all(each.hard_negatives for each in examples)
    assert "dev: 8 questions against a fixed pool of 32 passages" in caplog.text


def test_a_training_that_cannot_begin_leaves_nothing(config, tmp_path):
    with pytest.raises(InputError, match="do not fill one batch of 64"):
        train_dpr(replace(config, batch_size=64))
    assert not config.output.exists()
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError, match="do not fill one batch of 64"):
        train_dpr(replace(config, batch_size=64))
    assert list(config.output.iterdir()) == []


def test_what_was_mined_for_other_questions_is_mined_again(config, monkeypatch, tmp_path):
    kill_at(AFTER_THE_MINING, config, monkeypatch)
    lines = (tmp_path / "questions.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "questions.jsonl").write_text("".join(lines[:16]))
    run = train_dpr(replace(config, resume=True))
    assert len(list(read_dpr_examples(run / "mined" / "0.jsonl"))) == 16


@pytest.mark.parametrize("seeds", [None, "3,4"])
def test_what_a_begun_run_mined_stays_when_its_questions_change(config, monkeypatch, tmp_path, seeds):
    config = replace(config, seeds=seeds)
    kill_at("retriever.training.recipe.fit", config, monkeypatch)
    run = config.output if seeds is None else config.output / "seed-3"
    before = (run / "mined" / "0.jsonl").read_bytes()
    lines = (tmp_path / "questions.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "questions.jsonl").write_text("".join(lines[:16]))
    with pytest.raises(InputError, match=r"questions\.jsonl: the questions, or the corpus, are others than"):
        train_dpr(replace(config, resume=True))
    assert (run / "mined" / "0.jsonl").read_bytes() == before


@pytest.mark.parametrize("seeds", [None, "3,4"])
def test_a_begun_run_keeps_the_settings_of_its_start(config, monkeypatch, seeds):
    config = replace(config, seeds=seeds)
    kill_at("retriever.training.recipe.fit", config, monkeypatch)
    files = sorted(config.output.rglob("config.json"))
    files = [each for each in files if "model" not in each.parts]
    before = [each.read_text() for each in files]
    assert len(before) == (1 if seeds is None else 2)
    train_dpr(replace(config, resume=True, chunk_tokens="64"))
    assert [each.read_text() for each in files] == before


def test_questions_that_bring_hard_negatives_keep_them(config, tmp_path):
    rows = list(map(json.loads, (tmp_path / "questions.jsonl").read_text().splitlines()))
    own = {"title": "", "text": "a piano"}
    for first, mined_for in ((0, False), (1, True)):
        for row in rows[first:]:
            row["hard_negative_ctxs"] = [own]
        (tmp_path / "questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
        run = train_dpr(replace(config, output=tmp_path / f"run-{first}"))
        assert (run / "mined").exists() == mined_for
        for row in rows:
            row.pop("hard_negative_ctxs", None)
    taken = [each.hard_negatives[0].text for each in read_dpr_examples(run / "mined" / "0.jsonl")]
    assert taken[0] != "a piano" and set(taken[1:]) == {"a piano"}


def test_a_run_inside_its_beir_folder_is_mined_for_once(config, tmp_path, monkeypatch):
    folder = beir(tmp_path)
    monkeypatch.setattr(mined, "mine_corpus", counted := Counted(mined.mine_corpus))
    train_dpr(replace(config, train=(folder,), passages=None, output=folder / "run", seeds="3,4"))
    assert counted.times == 1


def test_several_seeds_are_mined_for_once(config, monkeypatch):
    mining, outputs = mined.mine_corpus, []

    def counted(mine_config, **named):
        outputs.append(mine_config.output)
        return mining(mine_config, **named)

    monkeypatch.setattr(mined, "mine_corpus", counted)
    run = train_dpr(replace(config, seeds="3,4,5"))
    assert outputs == [run / "seed-3" / "mined" / "0.jsonl"]
    assert all((run / f"seed-{seed}" / "results.json").is_file() for seed in (3, 4, 5))
    assert not (run / "seed-4" / "mined").exists()


def test_questions_with_answers_alone_are_refused_as_before(config, tmp_path):
    rows = [{"question": f"who {row} ?", "answers": ["cat"]} for row in range(16)]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    with pytest.raises(InputError, match=r"questions\.jsonl:1: no positive passage"):
        train_dpr(config)
    assert not config.output.exists()


def test_bad_dev_data_are_told_before_the_mining(config, monkeypatch, tmp_path):
    monkeypatch.setattr(mined, "mine_corpus", lambda *given, **named: pytest.fail("mined"))
    with pytest.raises(InputError, match=r"nowhere\.jsonl: no such file"):
        train_dpr(replace(config, dev=tmp_path / "nowhere.jsonl"))


def test_a_wrong_model_is_told_before_the_mining(config, monkeypatch):
    monkeypatch.setattr(mined, "mine_corpus", lambda *given, **named: pytest.fail("mined"))
    with pytest.raises(InputError, match="nowhere"):
        train_dpr(replace(config, model="./nowhere"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"device": "cuda:77"}, "device 'cuda:77' is not there"),
        ({"passage_max_length": 9999}, "max length 9999"),
    ],
)
def test_what_the_model_cannot_do_is_told_before_the_mining(config, monkeypatch, wrong, told):
    monkeypatch.setattr(mined, "mine_corpus", lambda *given, **named: pytest.fail("mined"))
    with pytest.raises(InputError, match=told):
        train_dpr(replace(config, **wrong))


@pytest.mark.parametrize("seeds", [None, "3,4"])
def test_a_run_killed_in_the_mining_can_be_resumed_from_the_shell(config, monkeypatch, seeds):
    """``--resume --output RUN`` finds the settings there, and nothing else has to be given again."""
    kill_at("retriever.training.mined.mine_corpus", replace(config, seeds=seeds), monkeypatch)
    run = train_dpr(TrainDprConfig.resolve({"output": config.output, "resume": True}))
    assert (run / "results.json").is_file()
    first = run if seeds is None else run / "seed-3"
    assert (first / "mined" / "0.jsonl").is_file()


@pytest.mark.parametrize("seeds", [None, "3,4"])
@pytest.mark.parametrize("there", [True, False])
def test_an_error_after_the_mining_leaves_what_there_was(config, tmp_path, seeds, there):
    if there:
        config.output.mkdir()
    with pytest.raises(InputError, match="do not fill one batch of 64"):
        train_dpr(replace(config, batch_size=64, seeds=seeds))
    assert config.output.exists() == there
    assert not there or list(config.output.iterdir()) == []


def test_one_of_several_seeds_is_resumed_alone(config, monkeypatch):
    several = replace(config, seeds="3,4")
    run = train_dpr(several)
    expected = {each.name: each.read_bytes() for each in (run / "seed-4" / "model").glob("*.safetensors")}
    (run / "seed-4" / "results.json").unlink()
    monkeypatch.setattr(mined, "mine_corpus", lambda *given, **named: pytest.fail("mined"))
    alone = TrainDprConfig.resolve({"output": run / "seed-4", "resume": True})
    found = train_dpr(alone)
    assert {each.name: each.read_bytes() for each in (found / "model").glob("*.safetensors")} == expected

    (run / "seed-4" / "results.json").unlink()
    shutil.rmtree(run / "seed-3")
    with pytest.raises(InputError) as error:
        train_dpr(alone)
    assert str(error.value) == (
        f"{run / 'seed-4' / 'mined' / '0.jsonl'}: the hard negatives that the run mined when it began are gone: "
        "begin anew with another --output"
    )


def test_a_run_that_was_moved_uses_what_was_mined(config, monkeypatch, tmp_path):
    kill_at(AFTER_THE_MINING, config, monkeypatch)
    config.output.rename(tmp_path / "moved")
    monkeypatch.setattr(mined, "mine_corpus", lambda *given, **named: pytest.fail("mined again"))
    run = train_dpr(replace(config, output=tmp_path / "moved", resume=True))
    assert (run / "results.json").is_file()


def test_a_run_killed_after_the_mining_goes_on_with_what_was_mined(config, monkeypatch):
    kill_at(AFTER_THE_MINING, config, monkeypatch)
    before = (config.output / "mined" / "0.jsonl").read_bytes()
    monkeypatch.setattr(mined, "mine_corpus", lambda *given, **named: pytest.fail("mined again"))
    run = train_dpr(replace(config, resume=True))
    assert (run / "results.json").is_file()
    assert (run / "mined" / "0.jsonl").read_bytes() == before
