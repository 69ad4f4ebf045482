"""Whole runs of both recipes: what they write, that they learn, and what stops them."""

import json
import logging
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertTokenizer, DPRConfig, DPRContextEncoder, DPRQuestionEncoder

from retriever.config.training import TrainDprConfig, TrainSimcseConfig
from retriever.data.dpr import read_dpr_examples
from retriever.data.files import file_sha256
from retriever.data.sts import read_sts_task
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import Encoder
from retriever.encoding.model_folder import EncoderSettings
from retriever.errors import InputError
from retriever.evaluation.geometry import uniformity
from retriever.evaluation.results import read_results, tasks_of
from retriever.evaluation.sts import evaluate_sts
from retriever.records import DprExample, Passage, Query
from retriever.training.dev import PoolDev, dev_pool
from retriever.training.dpr import dpr_training_set, train_dpr
from retriever.training.simcse import train_simcse
from tests.conftest import WORDS
from tests.tiny import tiny_encoder

THINGS = [
    "cat",
    "dog",
    "car",
    "river",
    "moon",
    "snow",
    "tree",
    "king",
    "soup",
    "star",
    "sun",
    "bird",
    "tower",
    "pan",
]
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
ACTIONS = ["sat", "ran", "falls", "plays", "sings", "boils", "drives", "orbits"]


def sentences(count: int) -> list[str]:
    generator = random.Random(0)
    return list(dict.fromkeys(" ".join(generator.sample(WORDS, 6)) for _ in range(count)))


@pytest.fixture
def unsupervised(tmp_path: Path) -> Path:
    path = tmp_path / "sentences.txt"
    path.write_text("\n".join(sentences(64)) + "\n")
    return path


SYNONYMS = list(zip(WORDS[::2], WORDS[1::2], strict=False))
"""Made-up synonyms: which words mean the same is what a supervised run has to learn."""


def sentence_of(concepts: list[int], generator: random.Random) -> str:
    return " ".join(generator.choice(SYNONYMS[concept]) for concept in concepts)


@pytest.fixture
def nli(tmp_path: Path) -> Path:
    """Triplets: the same concepts in other words entail, three of five other concepts contradict."""
    generator, rows = random.Random(0), ["sent0,sent1,hard_neg"]
    for _ in range(640):
        drawn = generator.sample(range(len(SYNONYMS)), 8)
        concepts, other = drawn[:5], [*drawn[:2], *drawn[5:]]
        rows.append(",".join(sentence_of(each, generator) for each in (concepts, concepts, other)))
    path = tmp_path / "nli.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def sts(tmp_path: Path) -> Path:
    """Similarity of two sentences = how many of their five concepts they share, in whatever words."""
    generator, rows = random.Random(1), ["score\tsentence1\tsentence2"]
    for _ in range(200):
        drawn, shared = generator.sample(range(len(SYNONYMS)), 10), generator.randrange(6)
        second = [*drawn[:shared], *drawn[5 : 10 - shared]]
        rows.append(f"{shared}\t{sentence_of(drawn[:5], generator)}\t{sentence_of(second, generator)}")
    path = tmp_path / "sts.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


def simcse(train: Path, output: Path, model: Path, **options: object) -> TrainSimcseConfig:
    defaults = {"max_length": 16, "batch_size": 16, "device": "cpu", "precision": "fp32"}
    return TrainSimcseConfig(train=(train,), output=output, model=str(model), **{**defaults, **options})


def metrics(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_run_directory_repeats_the_run(unsupervised: Path, plain_folder: Path, tmp_path: Path) -> None:
    run = train_simcse(simcse(unsupervised, tmp_path / "run", plain_folder, max_steps=3))
    assert sorted(each.name for each in run.iterdir()) == [
        "config.json",
        "environment.json",
        "metrics.jsonl",
        "model",
        "results.json",
    ]
    again = TrainSimcseConfig.resolve({"output": tmp_path / "again"}, run / "config.json")
    train_simcse(again)
    first, second = (Encoder.load(each, device="cpu", precision="fp32") for each in (run, tmp_path / "again"))
    assert first.fingerprint == second.fingerprint
    assert json.loads((run / "environment.json").read_text())["seed"] == 42
    assert metrics(run)[-1]["learning_rate"] == pytest.approx(
        3e-5 / 3
    )  # of the last of three steps, not after it
    results = read_results(run)
    assert (results["seed"], results["steps"], results["kept"]) == (42, 3, "last")
    assert (results["examples"], list(tasks_of(results))) == (len(unsupervised.read_text().splitlines()), [])
    assert results["model"]["fingerprint"] == first.fingerprint
    (file,) = json.loads((run / "environment.json").read_text())["files"]["train"]
    assert file == {"name": str(unsupervised), "sha256": file_sha256(unsupervised)}


def test_another_seed_is_another_model(unsupervised: Path, plain_folder: Path, tmp_path: Path) -> None:
    runs = [
        train_simcse(simcse(unsupervised, tmp_path / str(seed), plain_folder, max_steps=3, seed=seed))
        for seed in (1, 2)
    ]
    assert len({Encoder.load(run, device="cpu").fingerprint for run in runs}) == 2


def test_a_plain_folder_trains_with_the_papers_cls_head_that_is_not_saved(
    unsupervised: Path, plain_folder: Path, tmp_path: Path
) -> None:
    run = train_simcse(simcse(unsupervised, tmp_path / "run", plain_folder, max_steps=2))
    encoder = Encoder.load(run, device="cpu", precision="fp32")
    assert (encoder.settings.pooling, encoder.head, encoder.settings.max_length) == ("cls", None, 64)
    other = SentenceTransformer(str(run / "model"), device="cpu")
    np.testing.assert_allclose(other.encode(["the cat"]), encoder.encode(["the cat"]), atol=1e-5)


def test_supervised_training_from_a_plain_folder_keeps_its_head(plain_folder: Path, tmp_path: Path) -> None:
    train = tmp_path / "nli.csv"
    rows = [f"the {thing} {action},a {thing} {action},the {action}" for thing in THINGS for action in ACTIONS]
    train.write_text("sent0,sent1,hard_neg\n" + "\n".join(rows) + "\n")
    run = train_simcse(simcse(train, tmp_path / "run", plain_folder, max_steps=2))
    encoder = Encoder.load(run, device="cpu", precision="fp32")
    assert encoder.head is not None
    other = SentenceTransformer(str(run / "model"), device="cpu")
    np.testing.assert_allclose(other.encode(["the cat"]), encoder.encode(["the cat"]), atol=1e-5)


@pytest.mark.slow
def test_supervised_simcse_learns_and_the_best_model_is_kept(
    nli: Path, sts: Path, plain_folder: Path, tmp_path: Path
) -> None:
    options = {"pooling": "mean", "head": "none", "epochs": 6, "learning_rate": 1e-3, "eval_every": 80}
    run = train_simcse(simcse(nli, tmp_path / "run", plain_folder, dev=sts, **options))
    dev = [each for each in metrics(run) if "dev" in each]
    assert [each["step"] for each in dev] == [0, 80, 160, 240]
    values = [each["dev"]["spearman_all"] for each in dev]
    results = json.loads((run / "results.json").read_text())
    assert results["best_step"] == dev[int(np.argmax(values))]["step"]
    assert max(values) > values[0] + 20  # from a random start near 60 to above 90
    encoder = Encoder.load(run, device="cpu", precision="fp32")
    assert evaluate_sts(encoder.encode, read_sts_task(sts))["spearman_all"] == pytest.approx(max(values))


@pytest.mark.slow
def test_unsupervised_simcse_spreads_the_embeddings(
    unsupervised: Path, plain_folder: Path, tmp_path: Path
) -> None:
    unsupervised.write_text("\n".join(sentences(320)) + "\n")
    options = {"pooling": "mean", "head": "none", "epochs": 5, "learning_rate": 1e-3}
    run = train_simcse(simcse(unsupervised, tmp_path / "run", plain_folder, **options))
    before = Encoder.load(plain_folder, pooling="mean", device="cpu", precision="fp32")
    after = Encoder.load(run, device="cpu", precision="fp32")
    held_out = sentences(500)[400:]
    first, second = (uniformity(each.encode(held_out)) for each in (before, after))
    assert second < first - 0.5  # Wang & Isola: lower is more uniform


def write_dpr(path: Path, count: int, seed: int) -> Path:
    """Questions that name a thing and an action; their passage holds both, the hard negative only one."""
    generator = random.Random(seed)
    pairs = [(thing, action) for thing in THINGS for action in ACTIONS]
    generator.shuffle(pairs)
    rows = []
    for thing, action in pairs[:count]:
        other = generator.choice([each for each in ACTIONS if each != action])
        question = f"who {action} and is a {thing} ?"
        positive = {"title": thing, "text": f"it {action} in the old city"}
        hard = {"title": thing, "text": f"it {other} in the old city"}
        rows.append(
            {"question": question, "answers": [], "positive_ctxs": [positive], "hard_negative_ctxs": [hard]}
        )
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def dpr(train: Path, output: Path, model: Path, **options: object) -> TrainDprConfig:
    lengths = {"query_max_length": 16, "passage_max_length": 24, "device": "cpu", "precision": "fp32"}
    return TrainDprConfig(train=(train,), output=output, model=str(model), **{**lengths, **options})


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_dpr_learns_and_saves_what_it_trained(plain_folder: Path, tmp_path: Path, shared: bool) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 112, seed=0)
    config = dpr(
        train,
        tmp_path / "run",
        plain_folder,
        dev=train,
        batch_size=16,
        pooling="mean",
        epochs=20,
        learning_rate=1e-3,
        eval_every=70,
        shared_encoder=shared,
    )
    run = train_dpr(config)
    ranks = [each["dev"]["average_rank"] for each in metrics(run) if "dev" in each]
    assert ranks[0] > 8  # of 224 passages, from a random start
    assert min(ranks) < 2
    model = DualEncoder.load(run, device="cpu", precision="fp32")
    assert model.shared == shared
    kept = model.passage.settings
    assert (kept.similarity, kept.normalize, kept.passage_format, kept.max_length) == (
        "dot",
        False,
        "pair",
        24,
    )
    assert model.query.settings.query_max_length == 16


def test_dpr_from_a_model_that_declares_cosine_stays_with_cosine(model_folder: Path, tmp_path: Path) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    run = train_dpr(dpr(train, tmp_path / "run", model_folder, batch_size=16, max_steps=1))
    assert Encoder.load(run, device="cpu").settings.similarity == "cosine"


def test_the_question_encoder_and_the_passage_encoder_start_equal_and_train_apart(
    plain_folder: Path, tmp_path: Path
) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    run = train_dpr(
        dpr(train, tmp_path / "run", plain_folder, batch_size=16, max_steps=2, shared_encoder=False)
    )
    model = DualEncoder.load(run, device="cpu", precision="fp32")
    first, second = (next(each.parameters()) for each in (model.query, model.passage))
    assert 0 < (first - second).abs().max() < 1e-2


@pytest.mark.parametrize("learning_rate", [1e30])
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_what_was_saved(
    unsupervised: Path, sts: Path, plain_folder: Path, tmp_path: Path, learning_rate: float
) -> None:
    config = simcse(
        unsupervised,
        tmp_path / "run",
        plain_folder,
        dev=sts,
        epochs=5,
        eval_every=1000,
        learning_rate=learning_rate,
    )
    with pytest.raises(InputError) as error:
        train_simcse(config)
    assert str(error.value) == (
        "loss or gradient is not a number any more (step 10): lower --learning-rate or use --precision fp32"
    )
    start = Encoder.load(tmp_path / "run", device="cpu", precision="fp32")
    assert torch.isfinite(torch.from_numpy(start.encode(["the cat"]))).all()


def test_a_run_that_never_improves_says_so(
    unsupervised: Path, sts: Path, plain_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = simcse(unsupervised, tmp_path / "run", plain_folder, dev=sts, max_steps=1, learning_rate=1e-12)
    with caplog.at_level(logging.WARNING):
        train_simcse(config)
    assert "training never improved on the model it started from: that one is kept" in caplog.messages


def test_errors_leave_no_run_directory(unsupervised: Path, plain_folder: Path, tmp_path: Path) -> None:
    config = simcse(unsupervised, tmp_path / "run", plain_folder, batch_size=65)
    with pytest.raises(InputError) as error:
        train_simcse(config)
    assert str(error.value) == "64 training examples do not fill one batch of 65: lower --batch-size"
    assert not (tmp_path / "run").exists()


def test_an_output_that_holds_something_is_refused(
    unsupervised: Path, plain_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(InputError) as error:
        train_simcse(simcse(unsupervised, tmp_path / "run", plain_folder))
    assert str(error.value) == f"{tmp_path / 'run'}: output folder exists and is not empty"


def test_sentences_and_pairs_are_not_mixed(unsupervised: Path, plain_folder: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("sent0,sent1\nthe cat,a cat\n")
    config = TrainSimcseConfig(train=(unsupervised, pairs), output=tmp_path / "run", model=str(plain_folder))
    with pytest.raises(InputError) as error:
        train_simcse(config)
    assert str(error.value) == (
        f"{pairs}:2: sentences without positives and pairs cannot be mixed in one run"
    )


@pytest.mark.parametrize(("asked", "saved"), [(48, 48), (16, 32)])
def test_simcse_is_judged_and_saved_at_no_less_than_the_length_it_is_trained_at(
    unsupervised: Path, model_folder: Path, tmp_path: Path, asked: int, saved: int
) -> None:
    run = train_simcse(simcse(unsupervised, tmp_path / "run", model_folder, max_steps=1, max_length=asked))
    assert Encoder.load(run, device="cpu").settings.max_length == saved  # the folder declares 32


def test_dprs_two_published_encoders_train_on_as_two(plain_folder: Path, tmp_path: Path) -> None:
    size = {key: getattr(BertConfig.from_pretrained(plain_folder), key) for key in SIZES}
    folders = {}
    for role, kind in (("query", DPRQuestionEncoder), ("passage", DPRContextEncoder)):
        folders[role] = tmp_path / role
        torch.manual_seed(len(role))
        kind(DPRConfig(**size)).save_pretrained(folders[role])
        BertTokenizer.from_pretrained(plain_folder).save_pretrained(folders[role])
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    options = {"batch_size": 16, "max_steps": 1, "learning_rate": 1e-12, "shared_encoder": False}
    config = dpr(train, tmp_path / "run", folders["query"], passage_model=str(folders["passage"]), **options)
    model = DualEncoder.load(train_dpr(config), device="cpu", precision="fp32")
    assert (model.shared, model.query.settings.similarity, model.query.settings.pooling) == (
        False,
        "dot",
        "cls",
    )
    for encoder, folder in ((model.query, folders["query"]), (model.passage, folders["passage"])):
        before = Encoder.load(folder, max_length=24, device="cpu", precision="fp32")
        np.testing.assert_allclose(encoder.encode(["the cat"]), before.encode(["the cat"]), atol=1e-5)
    with pytest.raises(InputError) as error:
        train_dpr(dpr(train, tmp_path / "one", folders["query"], **options))
    assert "embeds questions only: name the passages' encoder with --passage-model" in str(error.value)


def test_questions_may_be_longer_than_passages(plain_folder: Path, tmp_path: Path) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    lengths = {"query_max_length": 30, "passage_max_length": 10}
    run = train_dpr(dpr(train, tmp_path / "run", plain_folder, max_steps=1, batch_size=16, **lengths))
    model = DualEncoder.load(run, device="cpu", precision="fp32")
    words = " ".join(["cat"] * 40)
    assert model.tokenize_queries([words]).lengths.tolist() == [30]
    assert model.tokenize_passages([Passage("1", words)]).lengths.tolist() == [10]


def test_of_a_corpus_only_what_is_needed_is_kept(plain_folder: Path, tmp_path: Path, monkeypatch) -> None:
    """Named positives, wherever they stand, and the first different passages for the dev pool."""
    passages = [{"id": str(n), "text": f"cat {n // 2}"} for n in range(100)]  # each text twice
    questions = [{"question": f"who {n} ?", "positive_passage_id": str(n)} for n in (90, 60, 3)]
    for name, rows in (("passages", passages), ("train", questions), ("dev", questions[1:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    kept = []

    def stop(examples: object, corpus: dict[str, Passage], *others: object) -> None:
        kept.extend(corpus)
        raise KeyboardInterrupt

    monkeypatch.setattr("retriever.training.dpr.dev_pool", stop)
    files = {"passages": tmp_path / "passages.jsonl", "dev": tmp_path / "dev.jsonl"}
    with pytest.raises(KeyboardInterrupt):
        train_dpr(dpr(tmp_path / "train.jsonl", tmp_path / "run", plain_folder, dev_pool_size=5, **files))
    assert kept == [*map(str, range(9)), "60", "90"]


def test_more_gold_negatives_than_there_are_questions_are_refused(plain_folder: Path, tmp_path: Path) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    with pytest.raises(InputError) as error:
        train_dpr(dpr(train, tmp_path / "run", plain_folder, batch_size=16, num_gold_negatives=32))
    assert str(error.value) == "num_gold_negatives must be at most 31, the number of other questions, got 32"


def test_a_run_of_the_other_command_is_called_so(plain_folder: Path, tmp_path: Path) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    run = train_dpr(dpr(train, tmp_path / "run", plain_folder, batch_size=16, max_steps=1))
    with pytest.raises(InputError) as error:
        TrainSimcseConfig.resolve({"output": run, "resume": True})
    assert str(error.value) == (
        f"{run}: holds a run of another command: its settings have dev_pool_size, which this one does not know"
    )


def test_rates_are_given_once_a_file(plain_folder: Path, tmp_path: Path) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    with pytest.raises(InputError) as error:
        train_dpr(dpr(train, tmp_path / "run", plain_folder, train_rate=(1.0, 2.0)))
    assert str(error.value) == "train_rate must be given once a --train file: 2 rates for 1 files"


def test_a_question_without_hard_negatives_takes_its_other_ones(plain_folder: Path, tmp_path: Path) -> None:
    rows = [
        {
            "question": f"who is {thing} ?",
            "positive_ctxs": [{"title": "", "text": f"the {thing}"}],
            "hard_negative_ctxs": [{"title": "", "text": f"hard {thing}"}] if number % 2 else [],
            "negative_ctxs": [{"title": "", "text": f"other {thing}"}],
        }
        for number, thing in enumerate(THINGS)
    ]
    train = tmp_path / "train.jsonl"
    train.write_text("\n".join(map(json.dumps, rows)) + "\n")
    found = dpr_training_set(
        [list(read_dpr_examples(train))],
        DualEncoder.load(plain_folder, pooling="cls", device="cpu", precision="fp32"),
    )
    assert found.hard_negatives.lengths.tolist() == [1] * len(THINGS)
    assert int(found.other_negatives.lengths.sum()) == 0  # nobody asked for them


def test_the_metrics_tell_how_healthy_the_run_is(
    unsupervised: Path, plain_folder: Path, tmp_path: Path
) -> None:
    run = train_simcse(simcse(unsupervised, tmp_path / "run", plain_folder, max_steps=4))
    facts, line = metrics(run)
    assert facts == {"step": 0, "examples": 64, "truncated_share": 0.0}
    assert sorted(line) == sorted(
        "step epoch loss gradient_norm learning_rate in_batch_accuracy alignment uniformity mean_cosine embedding_std "
        "duplicate_positives examples_per_second tokens_per_second peak_memory_bytes".split()
    )
    assert line["step"] == 4
    assert 0 <= line["in_batch_accuracy"] <= 1
    assert line["peak_memory_bytes"] > 50_000_000


def test_the_effective_number_of_negatives_and_the_expected_time_are_said(
    nli: Path, plain_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        train_simcse(simcse(nli, tmp_path / "run", plain_folder, max_steps=12, chunk_tokens="100"))
    assert (
        "640 examples, 12 steps of 16, seed 42; each anchor has up to 31 negatives (gradient accumulation adds none)"
        in caplog.messages
    )
    (forecast,) = [each for each in caplog.messages if "steps that are left" in each]
    assert "the 2 steps that are left will take about" in forecast
    assert "peak memory so far" in forecast


def test_a_weight_of_hard_negatives_that_are_not_there_is_refused(
    unsupervised: Path, plain_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        train_simcse(simcse(unsupervised, tmp_path / "run", plain_folder, hard_negative_weight=2.0))
    assert str(error.value) == (
        f"{unsupervised}: hard_negative_weight weighs hard negatives, and the training data have none"
    )
    assert not (tmp_path / "run").exists()


def test_a_preset_for_other_data_is_refused(unsupervised: Path, plain_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        train_simcse(simcse(unsupervised, tmp_path / "run", plain_folder, preset="simcse-sup-bert-base"))
    assert str(error.value) == (
        f"{unsupervised}: preset simcse-sup-bert-base is for pairs, the training data are sentences"
    )


def test_the_dev_pool_has_all_positives_and_then_the_first_hard_negatives_of_each() -> None:
    def passage(name: str) -> Passage:
        return Passage(name, name)

    examples = [
        DprExample(Query("1", "q1"), (passage("p1"),), (passage("h11"), passage("h12"), passage("h13"))),
        DprExample(Query("2", "q2"), (passage("p2"), passage("p3")), (passage("h21"),)),
    ]
    corpus = {name: passage(name) for name in ("p1", "c1", "c2")}
    names = [each.id for each in dev_pool(examples, corpus, 8, "pair")]
    assert names == ["p1", "p2", "p3", "h11", "h21", "h12", "h13", "c1"]
    assert [each.id for each in dev_pool(examples, corpus, 4, "pair")] == ["p1", "p2", "p3", "h11"]
    assert len(dev_pool(examples, corpus, 1, "pair")) == 3


def test_a_copy_under_another_title_ties_with_no_gold_passage_when_titles_are_left_out(
    tmp_path: Path,
) -> None:
    gold, copy, other = (
        Passage("1", "a cat", "Cats"),
        Passage("2", "a cat", "Pets"),
        Passage("3", "a dog", "Pets"),
    )
    examples = [DprExample(Query("1", "cat ?"), (gold, copy), (copy, other))]
    counts = {each: len(dev_pool(examples, {}, 9, each)) for each in ("pair", "{title} {text}", "{text}")}
    assert counts == {"pair": 3, "{title} {text}": 3, "{text}": 2}
    dev = PoolDev(tmp_path / "dev.jsonl", examples, dev_pool(examples, {}, 9, "{text}"), 1.0, "{text}")
    assert dev.positives == [[0]]


def test_prompts_are_trained_with_and_saved(plain_folder: Path, tmp_path: Path) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    options = {"query_prompt": "who : ", "passage_prompt": "the : ", "batch_size": 16, "max_steps": 1}
    model = DualEncoder.load(train_dpr(dpr(train, tmp_path / "run", plain_folder, **options)), device="cpu")
    assert model.query.settings.prompts == {"query": "who : ", "passage": "the : "}
    with_prompt, without = (model.query.tokenize(["cat"], role=role) for role in ("query", None))
    assert len(with_prompt.ids) == len(without.ids) + 2


def test_hard_negatives_that_are_not_wanted_are_not_tokenized(plain_folder: Path, tmp_path: Path) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    model = DualEncoder.load(plain_folder, pooling="cls", device="cpu", precision="fp32")
    kept, left = (
        dpr_training_set([read_dpr_examples(train)], model, keep_hard=wanted) for wanted in (True, False)
    )
    assert len(left.passages) < len(kept.passages)
    assert int(left.hard_negatives.lengths.sum()) == 0


def test_a_query_encoder_cuts_questions_in_sentence_transformers_as_here(
    plain_folder: Path, tmp_path: Path
) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    lengths = {"query_max_length": 8, "passage_max_length": 48}
    run = train_dpr(
        dpr(train, tmp_path / "run", plain_folder, shared_encoder=False, batch_size=8, max_steps=1, **lengths)
    )
    question = " ".join(WORDS[:15])
    expected = DualEncoder.load(run, device="cpu", precision="fp32").encode_queries([question])
    other = SentenceTransformer(str(run / "model" / "query"), device="cpu")
    np.testing.assert_allclose(other.encode_query([question]), expected, atol=1e-5)


@pytest.mark.parametrize(("similarity", "kept"), [(None, True), ("dot", False)])
def test_a_normalisation_that_a_model_declares_stays_unless_dot_is_asked_for(
    plain_folder: Path, tmp_path: Path, similarity: str | None, kept: bool
) -> None:
    settings = EncoderSettings(pooling="mean", max_length=32, similarity="dot", normalize=True)
    tiny_encoder(plain_folder, settings).save(tmp_path / "model")
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    config = dpr(
        train, tmp_path / "run", tmp_path / "model", batch_size=8, max_steps=1, similarity=similarity
    )
    assert Encoder.load(train_dpr(config), device="cpu").settings.normalize == kept


def test_two_encoders_are_not_trained_as_one(plain_folder: Path, tmp_path: Path) -> None:
    train = write_dpr(tmp_path / "train.jsonl", 32, seed=0)
    options = {"batch_size": 16, "max_steps": 1}
    run = train_dpr(dpr(train, tmp_path / "run", plain_folder, shared_encoder=False, **options))
    with pytest.raises(InputError) as error:
        train_dpr(dpr(train, tmp_path / "again", run, **options))
    assert str(error.value) == f"model '{run}' holds two encoders: --two-encoders trains both"
    again = train_dpr(dpr(train, tmp_path / "again", run, shared_encoder=False, **options))
    assert not DualEncoder.load(again, device="cpu").shared


def test_what_is_wrong_with_the_training_data_is_said_once_before_the_first_step(
    plain_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = tmp_path / "train.jsonl"
    rows = [
        {
            "question": f"the {thing}",
            "answers": ["cat"],
            "positive_ctxs": [{"text": f"a {thing} sat"}],
            "hard_negative_ctxs": [{"text": "a cat sat"}],
        }
        for thing in THINGS
    ]
    train.write_text("".join(json.dumps(each) + "\n" for each in rows))
    with caplog.at_level(logging.INFO):
        train_dpr(dpr(train, tmp_path / "run", plain_folder, batch_size=4, max_steps=1))
    said = [each for each in caplog.messages if "that were looked at" in each]
    assert said == [
        "1 of 14 hard negatives that were looked at are a positive of the same question "
        f"({train}:1). Drop them from the hard negatives: they teach the opposite of the positives.",
        "14 of 14 hard negatives that were looked at contain an answer of their question, so that they may well answer it "
        f"({train}:1, {train}:2, {train}:3). Mine hard negatives with ctl mine, which leaves such passages out.",
        "13 of 14 questions with answers that were looked at have no positive that contains an answer, by DPR's matcher "
        f"({train}:2, {train}:3, {train}:4). Look at some: the passage was cut beside the answer, or is the wrong one.",
    ]
    first_step = next(at for at, each in enumerate(caplog.messages) if "1 steps" in each)
    assert (
        caplog.messages.index(said[0]) > first_step
    )  # after the line that announces the run, which its log.txt begins with


def test_repeated_sentences_are_said_once(
    plain_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = tmp_path / "train.txt"
    train.write_text("\n".join([*sentences(30), *sentences(2)]) + "\n")
    with caplog.at_level(logging.WARNING):
        train_simcse(simcse(train, tmp_path / "run", plain_folder, max_steps=1))
    (said,) = [each for each in caplog.messages if "earlier row" in each]
    assert said.startswith("2 of 32 rows that were looked at repeat an earlier row")
