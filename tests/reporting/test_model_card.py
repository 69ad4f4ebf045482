"""The card of a trained model, from the command line: its examples run, Hugging Face reads it, nobody's words are overwritten."""

import json
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st

from cli.main import main
from cli.train import write_cards
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import Encoder
from retriever.evaluation.results import read_results
from retriever.reporting.card_facts import CARD_FILE, CardFacts, facts_of_run
from retriever.reporting.card_use import how_to_use
from retriever.reporting.model_card import code, escaped, exact, render, write_card
from tests.conftest import WORDS
from tests.tiny import triplets

CPU = ["--device", "cpu", "--precision", "fp32"]


def write_sts(path: Path, seed: int) -> Path:
    generator = random.Random(seed)
    rows = [f"{generator.randint(0, 5)}\t{each.anchor}\t{each.positive}" for each in triplets(WORDS, 24)]
    path.write_text("\n".join(["score\tsentence1\tsentence2", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(plain_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a SimCSE run and its data."""
    folder = tmp_path_factory.mktemp("card")
    (folder / "train|1.txt").write_text(
        "\n".join(dict.fromkeys(e.anchor for e in triplets(WORDS, 40))) + "\n"
    )
    files = ["--train", folder / "train|1.txt", "--dev", write_sts(folder / "dev.tsv", 1)]
    flags = [*files, "--model", plain_folder, "--output", folder / "my_run", "--max-steps", 2]
    assert main(["train-simcse", *map(str, flags), "--batch-size", "8", *CPU]) == 0
    return folder


@pytest.fixture(scope="module")
def dual(plain_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DPR run of two encoders."""
    folder = tmp_path_factory.mktemp("dual")
    rows = []
    for number, each in enumerate(triplets(WORDS, 12)):
        positive, hard = ({"title": f"t {number}", "text": text} for text in (each.positive, each.anchor))
        row = {"question": each.hard_negatives[0], "answers": [], "positive_ctxs": [positive]}
        rows.append(json.dumps(row | {"hard_negative_ctxs": [hard]}))
    (folder / "train.jsonl").write_text("\n".join(rows) + "\n")
    flags = ["--train", folder / "train.jsonl", "--dev", folder / "train.jsonl", "--output", folder / "run"]
    flags += [
        "--model",
        plain_folder,
        "--pooling",
        "mean",
        "--max-steps",
        1,
        "--batch-size",
        4,
        "--two-encoders",
    ]
    lengths = ["--query-max-length", "16", "--passage-max-length", "24"]
    assert main(["train-dpr", *map(str, flags), *lengths, *CPU]) == 0
    return folder / "run"


def run_examples(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (folder / "README.md").read_text()
    monkeypatch.chdir(folder)
    for example in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(example, "README.md", "exec"), {})
    (tmp_path / "passages.tsv").write_text("id\ttext\ttitle\n1\tthe cat sat\tcat\n2\ta red car\tcar\n")
    for line in re.findall(r"^ctl (.*)$", text, flags=re.MULTILINE):
        words = [each.strip('"') for each in re.findall(r'"[^"]*"|\S+', line)]
        places = {"passages.tsv": str(tmp_path / "passages.tsv"), "index": str(tmp_path / "index")}
        assert main([words[0], *(places.get(each, each) for each in words[1:]), *CPU]) == 0


def test_training_writes_a_card_that_tells_what_the_model_is(trained: Path) -> None:
    run = trained / "my_run"
    text = (run / "model" / "README.md").read_text()
    assert (
        "# my\\_run\n\nA sentence encoder, trained by unsupervised SimCSE on sentences of up to 32 tokens."
        in text
    )
    assert "| pooling | cls |" in text
    assert "`train¦1.txt`" in text and str(trained) not in text  # file names, and no paths of the machine
    spearman = read_results(run)["sts"]["dev"]["spearman_all"]
    assert f"| sts | dev | `spearman_all` | {spearman:.2f} |" in text
    assert "similarity: cosine; headline: spearman\\_all" in text
    assert "`batch_size` 8" in text and "`temperature`" not in text
    assert "| `pairs` | 24 |" in text and "`spearman_all_low`" not in text


def test_its_examples_run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_examples(trained / "my_run" / "model", tmp_path, monkeypatch)


def test_the_examples_of_two_encoders_run_in_each_folder(
    dual: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (dual / "model" / "README.md").read_text()
    assert "A question encoder and a passage encoder, trained by DPR on questions of up to 16" in text
    assert "`average_rank`" in text and "library_name" not in text
    run_examples(dual / "model", tmp_path, monkeypatch)
    for half, texts in (("query", "questions"), ("passage", "passages")):
        text = (dual / "model" / half / "README.md").read_text()
        assert f"One of two encoders, for {texts} only" in text and "## Results" not in text
        run_examples(dual / "model" / half, tmp_path, monkeypatch)


@pytest.mark.parametrize("passage_format", ["{title}. {text}", "{title} {text}", "{text}", "pair"])
def test_sentence_transformers_is_given_passages_as_we_embed_them(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, passage_format: str
) -> None:
    encoder = Encoder.load(model_folder, device="cpu", precision="fp32")
    encoder.settings = replace(
        encoder.settings, passage_format=passage_format, prompts={"query": "who ", "passage": "the "}
    )
    encoder.save(tmp_path / "model")
    assert main(["card", str(tmp_path / "model")]) == 0
    text = (tmp_path / "model" / "README.md").read_text()
    assert '`"who "` (query), `"the "` (passage)' in text
    _, ours, peer = re.findall(r"```(?:python)?\n(.*?)```", text, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path / "model")
    found: dict[str, dict] = {}
    for name, example in {"ours": ours, "peer": peer}.items():
        exec(compile(example, name, "exec"), found.setdefault(name, {}))
    shown = capsys.readouterr().out.splitlines()[-2:]
    values = [float(re.findall(r"-?\d\.\d+", line)[0]) for line in shown]
    assert values[0] == pytest.approx(values[1], abs=2e-4)


def copy_of(run: Path, folder: Path) -> Path:
    """A run that a test may change, still without a card."""
    return shutil.copytree(run, folder, ignore=shutil.ignore_patterns("README.md", CARD_FILE))


def change_json(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_a_card_from_before_the_end_of_a_run_gets_its_results_and_keeps_what_was_added(
    trained: Path, tmp_path: Path
) -> None:
    run = copy_of(trained / "my_run", tmp_path / "run")
    results = (run / "results.json").read_text()
    (run / "results.json").unlink()
    assert main(["card", str(run)]) == 0
    readme = run / "model" / "README.md"
    assert "## Results" not in readme.read_text()
    added = json.loads((trained / "my_run" / "model" / CARD_FILE).read_text())["results"]
    further = [dict(added[0], task="further"), dict(added[0], metrics={"spearman_all": 12.5})]
    change_json(run / "model" / CARD_FILE, results=further)
    (run / "results.json").write_text(results)
    write_cards(run)
    spearman = json.loads(results)["sts"]["dev"]["spearman_all"]
    assert f"| sts | dev | `spearman_all` | {spearman:.2f} |" in readme.read_text()
    assert "| sts | further | `spearman_all` |" in readme.read_text() and "12.50" not in readme.read_text()


def test_a_card_of_one_half_in_its_place_is_refused(dual: Path, capsys) -> None:
    before = (dual / "model" / "query" / "README.md").read_text()
    assert main(["card", str(dual / "model" / "query")]) == 2
    assert capsys.readouterr().err == (
        f"error: {dual / 'model' / 'query'}: is one of two encoders, whose card is written with that of both: "
        f"ctl card {dual / 'model'}\n"
    )
    assert (dual / "model" / "query" / "README.md").read_text() == before


@pytest.mark.parametrize(("half", "texts"), [("query", "questions"), ("passage", "passages")])
def test_a_half_alone_says_which_it_is(
    dual: Path, tmp_path: Path, monkeypatch, half: str, texts: str
) -> None:
    folder = shutil.copytree(dual / "model" / half, tmp_path / "alone")
    (folder / "README.md").unlink()
    assert main(["card", str(folder)]) == 0
    text = (folder / "README.md").read_text()
    assert f"# alone\n\nOne of two encoders, for {texts} only.\n" in text
    assert "library_name" not in text
    run_examples(folder, tmp_path, monkeypatch)


def test_what_does_not_say_how_it_embeds_has_no_card(plain_folder: Path, capsys) -> None:
    assert main(["card", str(plain_folder)]) == 2
    assert capsys.readouterr().err == (
        f"error: {plain_folder}: does not say how it embeds, so there is nothing to tell of it\n"
    )
    assert not (plain_folder / CARD_FILE).exists()


def run_with(folder: Path, config: dict, **environment: object) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "environment.json").write_text(json.dumps(environment))
    return folder


def test_both_encoders_say_what_they_began_with(tmp_path: Path, encoder: Encoder) -> None:
    names = {"model": "own/questions", "passage_model": "own/passages"}
    config = names | {"query_max_length": 64}
    facts = facts_of_run(run_with(tmp_path / "run", config, model_sources=dict.fromkeys(names, "hub")))
    settings = {"query": encoder.settings, "passage": encoder.settings}
    text = render(facts, settings, half=None)
    assert "From own/questions (questions) and own/passages (passages)." in text
    assert yaml.safe_load(text.split("---")[1])["base_model"] == ["own/questions", "own/passages"]
    for half, base in {"query": "own/questions", "passage": "own/passages"}.items():
        text = render(facts, {half: settings[half]}, half=half)
        assert yaml.safe_load(text.split("---")[1])["base_model"] == base


def test_where_sentence_transformers_cuts_questions_elsewhere_the_card_says_it(encoder: Encoder) -> None:
    texts = [
        how_to_use({None: replace(encoder.settings, max_length=128, query_max_length=length)})
        for length in (None, 128, 64)
    ]
    said = "There questions are cut at 128 tokens, and not at 64 as with `ctl`: set `model.max_seq_length = 64` before"
    assert [said in each for each in texts] == [False, False, True]
    assert "max_seq_length" not in texts[1]


@pytest.mark.parametrize(
    ("name", "source", "shown"),
    [
        ("/home/alice/secret:v1/model", "folder", ("model", False)),
        ("/home/alice/secret:v1/model/", None, ("model", False)),
        ("runs/base", "folder", ("base", False)),
        ("runs/base", None, ("base", False)),
        ("C:\\alice\\model", "folder", ("model", False)),
        ("bert-base-uncased", "hub", ("bert-base-uncased", True)),
        ("own/er", "hub", ("own/er", True)),
        ("packaged:all-MiniLM-L6-v2", "packaged", ("packaged:all-MiniLM-L6-v2", False)),
        ("packaged:all-MiniLM-L6-v2", None, ("packaged:all-MiniLM-L6-v2", False)),
    ],
)
def test_of_a_folder_only_its_name_is_told(
    tmp_path: Path, name: str, source: str | None, shown: tuple
) -> None:
    sources = {} if source is None else {"model_sources": {"model": source}}
    facts = facts_of_run(run_with(tmp_path / "run", {"model": name}, **sources))
    assert (facts.base_model, facts.on_hub) == shown


def test_training_says_where_its_model_came_from(trained: Path) -> None:
    environment = json.loads((trained / "my_run" / "environment.json").read_text())
    assert environment["model_sources"] == {"model": "folder"}


def test_the_batch_of_all_processes_and_the_precision_are_told(
    trained: Path, tmp_path: Path, encoder
) -> None:
    text = (trained / "my_run" / "model" / "README.md").read_text()
    assert re.search(
        r"^From plain\d+ on \d+ examples, in fp32: 8 anchors a step\.$", text, flags=re.MULTILINE
    )
    run = run_with(tmp_path / "run", {"model": "x", "batch_size": 8}, processes=2, precision="bf16")
    text = render(facts_of_run(run), {None: encoder.settings}, half=None)
    assert "From x, in bf16 by 2 processes: 16 anchors a step." in text


def test_a_run_that_an_older_version_finished_is_left_as_it_is(trained: Path, tmp_path: Path, capsys) -> None:
    run = copy_of(trained / "my_run", tmp_path / "run")
    (run / "results.json").write_text(json.dumps({"seed": 42, "examples": 7, "dev": {"spearman_all": 81.5}}))
    change_json(run / "environment.json", model_sources={})
    assert main(["train-simcse", "--resume", "--output", str(run)]) == 0
    assert capsys.readouterr().out == f"{run}\n"
    text = (run / "model" / "README.md").read_text()
    assert "on 7 examples" in text and "## Results" not in text


def test_a_setting_of_another_version_is_told(tmp_path: Path) -> None:
    facts = facts_of_run(run_with(tmp_path / "run", {"model": "x", "whitening": True}))
    assert facts.settings == {"whitening": True}


@pytest.mark.parametrize("damage", ["foreign", "card.json", "results"])
def test_whatever_is_wrong_with_a_card_the_training_is_done(
    trained: Path, tmp_path: Path, capsys, caplog, damage: str
) -> None:
    run = copy_of(trained / "my_run", tmp_path / "run")
    file = {"foreign": run / "model/README.md", "card.json": run / "model/card.json"}.get(
        damage, run / "results.json"
    )
    text = json.dumps({"model": {}}) if damage == "results" else "A person's words."
    file.write_text(text)
    assert main(["train-simcse", "--resume", "--output", str(run)]) == 0
    assert capsys.readouterr().out == f"{run}\n"
    assert any(each.startswith(f"no model card was written: {file}") for each in caplog.messages)
    assert file.read_text() == text


@pytest.mark.parametrize(
    "damaged",
    [
        {"results": [{}]},
        {"results": 5},
        {"files": [{"name": "x"}]},
        {"settings": []},
        {"anchors": "8"},
        {"name": 5},
        {"x": 1},
    ],
)
def test_a_damaged_card_json_is_an_input_error(
    model_folder: Path, tmp_path: Path, capsys, damaged: dict
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    (folder / CARD_FILE).write_text(json.dumps({"name": "model", **damaged}))
    assert main(["card", str(folder)]) == 2
    assert capsys.readouterr().err == f"error: {folder / CARD_FILE}: not what a model card is made of\n"


def test_a_folder_whose_name_is_not_utf_8_has_a_card(model_folder: Path, tmp_path: Path, capfdbinary) -> None:
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    for each in filter(Path.is_file, model_folder.iterdir()):
        shutil.copy(each, folder)
    shutil.copytree(model_folder / "1_Pooling", folder / "1_Pooling")
    for _ in range(2):
        assert main(["card", str(folder)]) == 0
        assert capfdbinary.readouterr().out == bytes(folder / "README.md") + b"\n"
    assert "# caf?\n" in (folder / "README.md").read_text()


def test_hugging_face_reads_the_front_matter_and_the_results(trained: Path) -> None:
    card = ModelCard.load(trained / "my_run" / "model" / "README.md")
    assert card.data.library_name == "sentence-transformers"
    assert card.data.pipeline_tag == "sentence-similarity"
    assert card.data.model_name == "my_run"
    assert card.data.base_model is None  # a folder of this machine
    found = {each.metric_type: each for each in card.data.eval_results}
    metrics = read_results(trained / "my_run")["sts"]["dev"]
    assert found["spearman_all"].metric_value == metrics["spearman_all"]
    assert (found["spearman_all"].dataset_name, found["spearman_all"].task_type) == (
        "dev",
        "semantic-similarity",
    )


def test_results_are_added_and_the_fingerprint_stays(trained: Path, tmp_path: Path, capsys) -> None:
    run = trained / "my_run"
    before = Encoder.load(run, device="cpu").fingerprint
    for number in (1, 2):
        test = write_sts(tmp_path / f"test{number}.tsv", number)
        flags = ["--model", str(run), "--output", str(tmp_path / "results"), *CPU]
        assert main(["eval", "sts", str(test), *flags]) == 0
        capsys.readouterr()
        assert main(["card", str(run), "--results", str(tmp_path / "results")]) == 0
        assert capsys.readouterr().out == f"{run / 'model' / 'README.md'}\n"
    text = (run / "model" / "README.md").read_text()
    assert all(f"| sts | {name} | `spearman_all` |" in text for name in ("dev", "test1", "test2"))
    assert Encoder.load(run, device="cpu").fingerprint == before
    assert main(["train-simcse", "--resume", "--output", str(run)]) == 0
    assert (run / "model" / "README.md").read_text() == text  # a finished run is left as it is
    assert "unsupervised SimCSE" in text


def test_results_of_another_model_are_refused(
    trained: Path, model_folder: Path, tmp_path: Path, capsys
) -> None:
    test = write_sts(tmp_path / "test.tsv", 3)
    flags = ["--model", str(model_folder), "--output", str(tmp_path / "results"), *CPU]
    assert main(["eval", "sts", str(test), *flags]) == 0
    assert main(["card", str(trained / "my_run"), "--results", str(tmp_path / "results")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    own, other = (
        Encoder.load(each, device="cpu").fingerprint[:12] for each in (trained / "my_run", model_folder)
    )
    assert error == (
        f"error: {tmp_path / 'results'}: holds results of '{model_folder}' (fingerprint {other}), and not of this model ({own})"
    )


@pytest.mark.parametrize("change", ["A person's words.\n", None])
def test_what_a_person_wrote_or_changed_is_not_overwritten(model_folder, tmp_path, capsys, change) -> None:
    Encoder.load(model_folder, device="cpu").save(tmp_path / "model")
    readme = tmp_path / "model" / "README.md"
    if change is None:
        assert main(["card", str(tmp_path / "model")]) == 0
        change = readme.read_text().replace("A sentence encoder.", "The best sentence encoder.")
        (tmp_path / "model" / CARD_FILE).unlink()
    readme.write_text(change)
    assert main(["card", str(tmp_path / "model")]) == 2
    expected = f"error: {readme}: was not written by ctl, or was changed since: move it away, or leave it\n"
    assert capsys.readouterr().err == expected
    assert readme.read_text() == change
    assert not (tmp_path / "model" / CARD_FILE).exists()


def test_what_is_no_folder_has_no_card(tmp_path: Path, capsys) -> None:
    assert main(["card", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'none'}: no such folder: a card is written into a run directory or a model folder\n"
    )


def test_a_kill_leaves_the_old_card(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Encoder.load(model_folder, device="cpu").save(tmp_path)
    write_card(tmp_path, CardFacts(name="old"))
    before = (tmp_path / "README.md").read_bytes()

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_card(tmp_path, CardFacts(name="new"))
    monkeypatch.undo()
    assert (tmp_path / "README.md").read_bytes() == before
    write_card(tmp_path, CardFacts(name="new"))
    assert b"# new" in (tmp_path / "README.md").read_bytes()


def test_names_are_no_markdown_and_no_yaml(encoder: Encoder) -> None:
    hostile = "<b>*x*</b> | [a](b) `c`\n---\n: {\x07\u2028"
    settings = replace(encoder.settings, prompts={hostile: hostile})
    facts = CardFacts(
        name=hostile, base_model="own/er: [", on_hub=True, recipe=hostile, settings={"pooling": hostile},
        files=[{"purpose": hostile, "name": hostile, "sha256": None}],
        results=[{"suite": "sts", "task": hostile, "metrics": {"spearman_all": 80.5, "x": None, "spectrum": [1.0]},
                  "policy": {"similarity": hostile}, "versions": {"torch": "2"}, "data_sha256": "ab" * 32}],
    )  # fmt: skip
    text = render(facts, {None: settings}, half=None)
    front, body = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, flags=re.DOTALL).groups()
    values = yaml.safe_load(front)
    assert values["base_model"] == "own/er: ["
    assert values["model-index"][0]["results"][0]["metrics"] == [
        {"type": "spearman_all", "value": 80.5, "name": "spearman_all"}
    ]
    assert "<b>" not in re.sub(r"`[^`]*`", "", body)
    for line in body.splitlines():
        columns = {"| sts": 5, "| prompts": 2, "| \\<b\\>": 3}
        for begin, count in columns.items():
            if line.startswith(begin):
                assert len(re.findall(r"(?<!\\)\|", line)) == count + 1
    assert "| `x` | undefined |" in body and "spectrum" not in body


def test_escaping() -> None:
    assert escaped("a_b*<c>|\nd") == "a\\_b\\*\\<c\\>\\| d"
    assert code("a`b|c") == "`a'b¦c`"


@given(st.text())
def test_an_exact_text_is_json_in_one_code_span(text: str) -> None:
    shown = exact(text)
    assert json.loads(shown.strip("`")) == text
    assert shown.count("`") == 2 and shown.isprintable() and "|" not in shown and "  " not in shown


def test_the_model_opens_as_before(dual: Path) -> None:
    before = read_results(dual)["model"]["fingerprint"]
    assert DualEncoder.load(dual, device="cpu", precision="fp32").fingerprint == before
