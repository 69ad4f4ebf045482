"""The card of a trained model, from the command line: its examples run, Hugging Face reads it, nobody's words are overwritten."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from cli.main import main
from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.encoder import Encoder
from retriever.evaluation.results import read_results
from retriever.reporting.card_facts import CARD_FILE, CardFacts
from retriever.reporting.model_card import code, escaped, render, write_card
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
    assert "`who` (query), `the` (passage)" in text
    _, ours, peer = re.findall(r"```(?:python)?\n(.*?)```", text, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path / "model")
    found: dict[str, dict] = {}
    for name, example in {"ours": ours, "peer": peer}.items():
        exec(compile(example, name, "exec"), found.setdefault(name, {}))
    shown = capsys.readouterr().out.splitlines()[-2:]
    values = [float(re.findall(r"-?\d\.\d+", line)[0]) for line in shown]
    assert values[0] == pytest.approx(values[1], abs=2e-4)


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
    facts = CardFacts(
        name=hostile, base_model="own/er: [", on_hub=True, recipe=hostile, settings={"pooling": hostile},
        files=[{"purpose": "train", "name": hostile, "sha256": None}],
        results=[{"suite": "sts", "task": hostile, "metrics": {"spearman_all": 80.5, "x": None, "spectrum": [1.0]},
                  "policy": {"similarity": hostile}, "versions": {"torch": "2"}, "data_sha256": "ab" * 32}],
    )  # fmt: skip
    text = render(facts, {None: encoder.settings}, half=None)
    front, body = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, flags=re.DOTALL).groups()
    values = yaml.safe_load(front)
    assert values["base_model"] == "own/er: ["
    assert values["model-index"][0]["results"][0]["metrics"] == [
        {"type": "spearman_all", "value": 80.5, "name": "spearman_all"}
    ]
    assert "<b>" not in re.sub(r"`[^`]*`", "", body)
    for line in body.splitlines():
        if line.startswith("| sts"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 6
    assert "| `x` | undefined |" in body and "spectrum" not in body


def test_escaping() -> None:
    assert escaped("a_b*<c>|\nd") == "a\\_b\\*\\<c\\>\\| d"
    assert code("a`b|c") == "`a'b¦c`"


def test_the_model_opens_as_before(dual: Path) -> None:
    before = read_results(dual)["model"]["fingerprint"]
    assert DualEncoder.load(dual, device="cpu", precision="fp32").fingerprint == before
