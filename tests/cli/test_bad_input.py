"""Every kind of bad input through the command line: one exact sentence, exit code 2, and nothing half-written."""

import shutil
from pathlib import Path

import pytest

from cli.main import main
from retriever.encoding.encoder import Encoder
from tests.tiny import tiny_encoder

PASSAGES = "id\ttext\ttitle\n1\tthe cat sat\tcat\n2\tthe dog ran\tdog\n"
QUESTION = '{"question": "who sat ?", "positive_passage_id": "1"}\n'


@pytest.fixture
def here(tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with good files and the tiny model."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model_folder, tmp_path / "model")
    (tmp_path / "passages.tsv").write_text(PASSAGES)
    (tmp_path / "questions.jsonl").write_text(QUESTION)
    return tmp_path


SIMCSE = "train-simcse --train data --output out --model model --max-length 16 --device cpu --precision fp32"
DPR = (
    "train-dpr --train data --passages passages.tsv --output out --model model "
    "--query-max-length 16 --passage-max-length 32 --device cpu --precision fp32"
)
INDEX = "index --passages data --model model --output out --device cpu --precision fp32"
MINE = "mine --questions data --passages passages.tsv --output out.jsonl"
STS = "eval sts data --model model --device cpu --precision fp32"


@pytest.mark.parametrize(
    ("command", "name", "content", "message"),
    [
        (SIMCSE, "none.txt", None, "none.txt: no such file"),
        (INDEX, "none.tsv", None, "none.tsv: no such file"),
        (SIMCSE, "empty.txt", b"", "empty.txt: file is empty"),
        (INDEX, "empty.jsonl", b"", "empty.jsonl: file is empty"),
        (STS, "sts.tsv", b"score\tsentence1\tsentence2\n1\ta\n", "sts.tsv:2: expected 3 columns, found 2"),
        (
            SIMCSE,
            "nli.csv",
            b"sent0,sent1,hard_neg\na,b,c\na,b\n",
            "nli.csv:3: expected 3 columns, found 2",
        ),
        (SIMCSE, "nli.csv", b"a,b\nc,d\n", "nli.csv:1: no column named 'sent1' (found: a, b)"),
        (
            DPR,
            "train.jsonl",
            QUESTION.encode() + b"{oops\n",
            "train.jsonl:2: invalid JSON: Expecting property name enclosed in double quotes",
        ),
        (SIMCSE, "latin.txt", "a cat\ncaf\u00e9\n".encode("latin-1"), "latin.txt:2: not UTF-8"),
        (INDEX, "latin.tsv", PASSAGES.encode() + b"3\t\xe9\t\n", "latin.tsv:4: not UTF-8"),
        (
            DPR,
            "train.jsonl",
            QUESTION.encode() + b'{"question": "who ran ?", "answers": ["dog"]}\n',
            "train.jsonl:2: no positive passage",
        ),
        (
            DPR,
            "train.jsonl",
            b'{"question": "who ran ?", "positive_passage_id": "3"}\n',
            "train.jsonl:1: positive passage '3' is not in the passages",
        ),
        (
            INDEX,
            "twice.tsv",
            PASSAGES.encode() + b"1\tagain\t\n",
            "twice.tsv:4: duplicate passage id '1' (first in line 2)",
        ),
        (MINE, "bad.jsonl", b"[]\n", "bad.jsonl:1: expected a JSON object, found []"),
        (
            SIMCSE,
            "few.txt",
            b"a cat\nthe dog\n",
            "2 training examples do not fill one batch of 64: lower --batch-size",
        ),
    ],
)
def test_a_bad_file_is_named_with_its_line(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    name: str,
    content: bytes | None,
    message: str,
) -> None:
    if content is not None:
        (here / name).write_bytes(content)
    before = sorted(here.rglob("*"))
    assert main(command.replace(" data", f" {name}").split()) == 2
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == f"error: {message}"
    assert "Traceback" not in said.err
    assert said.out == ""
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--temperature nan", "--temperature must be a finite number, got nan"),
        ("--temperature -0.1", "--temperature must be above 0, got -0.1"),
        ("--learning-rate inf", "--learning-rate must be a finite number, got inf"),
        ("--warmup-ratio 1", "--warmup-ratio must be below 1, got 1"),
        ("--batch-size 1", "--batch-size must be at least 2, got 1"),
        ("--device cuda:99", None),
        ("--device tpu", "device must be auto, cpu, cuda, cuda:N or mps, got 'tpu'"),
        ("--model nowhere.txt", "nowhere.txt: a model is a folder, this is a file"),
    ],
)
def test_a_bad_flag_is_named(
    here: Path, capsys: pytest.CaptureFixture[str], flags: str, message: str | None
) -> None:
    (here / "nowhere.txt").write_text("x")
    (here / "sentences.txt").write_text("a cat\n" * 64)
    base = "train-simcse --train sentences.txt --output out --model model --max-length 16 --device cpu"
    assert main(f"{base} {flags}".split()) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    if message is None:
        assert said.startswith("error: device 'cuda:99' is not there: PyTorch sees ")
    else:
        assert said == f"error: {message}"
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    "command", [SIMCSE.replace("data", "sentences.txt"), INDEX.replace("data", "passages.tsv")]
)
def test_an_output_folder_that_is_not_empty_is_left_as_it_is(
    here: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (here / "sentences.txt").write_text("a cat\n" * 64)
    (here / "out").mkdir()
    (here / "out" / "mine.txt").write_text("mine")
    assert main(command.split()) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: out: output folder exists and is not empty"
    assert [each.name for each in (here / "out").iterdir()] == ["mine.txt"]


def test_a_model_folder_without_weights(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "model" / "model.safetensors").unlink()
    assert main(INDEX.replace("data", "passages.tsv").split()) == 2
    told = "no weights in safetensors format (pickled ones are not read): the README says how to convert them"
    assert capsys.readouterr().err.splitlines()[-1] == f"error: model: {told}"
    assert not (here / "out").exists()


def test_a_model_that_the_index_was_not_built_with(
    here: Path, plain_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(INDEX.replace("data", "passages.tsv").split()) == 0
    built = Encoder.load(here / "model", device="cpu")
    other = tiny_encoder(plain_folder, built.settings)
    next(other.parameters()).data.mul_(2)
    other.save(here / "other")
    capsys.readouterr()
    assert main("search out cat --model other --device cpu --precision fp32".split()) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: out: built with model 'model' (fingerprint {built.fingerprint[:12]}), "
        f"but model 'other' has fingerprint {other.fingerprint[:12]}"
        ": build the index again, or pass the model it was built with"
    )


def test_more_passages_than_there_are(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(INDEX.replace("data", "passages.tsv").split()) == 0
    capsys.readouterr()
    assert main("search out cat -k 50 --json --device cpu --precision fp32".split()) == 0
    assert capsys.readouterr().out.count('"rank"') == 2


def test_bm25_of_an_index_that_has_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(INDEX.replace("data", "passages.tsv").split()) == 0
    assert main("search out cat --mode bm25".split()) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: out: built without --bm25, so mode bm25 cannot be had"
    )


def test_rankings_that_cannot_be_written_are_refused_before_the_evaluation(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(INDEX.replace("data", "passages.tsv").split()) == 0
    capsys.readouterr()
    command = "eval retrieval --index out --questions questions.jsonl --rankings none/run.trec --device cpu"
    assert main(command.split()) == 2
    said = capsys.readouterr()
    assert said.err.splitlines() == ["error: none: no such folder"]
    assert said.out == ""


def test_an_id_that_trec_cannot_hold_costs_the_rankings_and_not_the_results(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "spaces.tsv").write_text("id\ttext\ttitle\nthe cat\tthe cat sat\tcat\n")
    (here / "questions.jsonl").write_text('{"question": "who sat ?", "positive_passage_id": "the cat"}\n')
    assert main(INDEX.replace("data", "spaces.tsv").split()) == 0
    capsys.readouterr()
    command = "eval retrieval --index out --questions questions.jsonl --rankings run.trec --device cpu"
    assert main(command.split()) == 2
    said = capsys.readouterr()
    assert "accuracy@1" in said.out
    assert said.err.splitlines()[-1].startswith("error: run.trec: passage id holds white space: 'the cat'")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("hard.jsonl.gz", "hard.jsonl.gz: the output is DPR JSONL: its name must end in .jsonl"),
        ("none/hard.jsonl", "none: no such folder"),
    ],
)
def test_mining_into_a_file_that_nothing_could_read_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], output: str, message: str
) -> None:
    command = f"mine --questions questions.jsonl --passages passages.tsv --output {output}"
    assert main(command.split()) == 2
    assert capsys.readouterr().err.splitlines() == [f"error: {message}"]


def test_mining_that_finds_no_positive_writes_no_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "questions.jsonl").write_text('{"question": "who sat ?", "answers": ["nobody"]}\n')
    assert main("mine --questions questions.jsonl --passages passages.tsv --output hard.jsonl".split()) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: questions.jsonl: no question has a positive passage: there is nothing to train on"
    )
    assert not (here / "hard.jsonl").exists()


def test_a_question_that_is_not_utf_8(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(INDEX.replace("data", "passages.tsv").split()) == 0
    assert main(["search", "out", "\udcff cat", "--device", "cpu"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: the question is not UTF-8"


def test_a_folder_as_config_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("info model --config model".split()) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: model: cannot be read: Is a directory"


def test_a_seed_beyond_what_generators_take(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SIMCSE.replace("data", "passages.tsv").split(), "--seed", "20241122153000"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: --seed must be at most 4")
