import json
import random
import subprocess
import sys
from dataclasses import asdict

import pytest
import python_docs
from python_docs import (
    collect,
    installed_packages,
    make_data_set,
    parse_arguments,
    standard_library,
    write_data_set,
)
from question_files import Limits

from retriever.data.corpus import read_passages
from retriever.data.dpr import read_questions
from retriever.data.simcse import read_simcse_examples
from retriever.errors import InputError

# Splits by the fixed list: numpy and torch train, sklearn dev, pandas test.
SIZES = {"numpy": 14, "torch": 9, "sklearn": 8, "pandas": 10}
LIMITS = Limits(passages=16, train_questions=7, dev_questions=3, test_questions=5, sentences=20)
EVERYTHING = Limits(
    passages=None, train_questions=None, dev_questions=None, test_questions=None, sentences=None
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def make_words(generator, count):
    return " ".join("".join(generator.choices(LETTERS, k=6)) for _ in range(count))


@pytest.fixture
def locations(tmp_path):
    generator = random.Random(0)
    for package, size in SIZES.items():
        functions = []
        for number in range(size):
            text = (
                f"Compute {make_words(generator, 5)}.\n\n    {make_words(generator, 20).capitalize()}.\n    "
            )
            functions.append(f'def function_{number}():\n    """{text}"""\n')
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("\n".join(functions))
    (tmp_path / "numpy" / "broken.py").write_text("def (:\n")
    return {package: tmp_path / package for package in SIZES}


def read_lines(folder, name):
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def bytes_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def packages_in(records, key="id"):
    return {record[key].partition(".")[0] for record in records}


def test_two_runs_give_equal_bytes(tmp_path, locations):
    make_data_set(tmp_path / "a", LIMITS, locations)
    make_data_set(tmp_path / "b", LIMITS, dict(reversed(locations.items())))
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert len(bytes_of(tmp_path / "a")) == 10


def test_another_hash_seed_gives_equal_bytes(tmp_path, locations):
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[3:]; import python_docs\n"
        "places = {name: Path(sys.argv[1], name) for name in ('numpy', 'pandas')}\n"
        "python_docs.make_data_set(Path(sys.argv[2]), python_docs.Limits(), places)"
    )
    scripts = python_docs.Path(python_docs.__file__).parent
    for seed in "12":
        command = [sys.executable, "-c", code, tmp_path, tmp_path / f"out{seed}", scripts, scripts.parent]
        subprocess.run(command, env={"PYTHONHASHSEED": seed}, check=True, capture_output=True)
    assert bytes_of(tmp_path / "out1") == bytes_of(tmp_path / "out2")


def test_splits_share_no_package_and_the_test_is_held_out(tmp_path, locations):
    make_data_set(tmp_path / "out", LIMITS, locations)
    out = tmp_path / "out"
    train, dev = {"numpy", "torch"}, {"sklearn"}
    assert packages_in(read_lines(out, "train_questions.jsonl"), "positive_passage_id") <= train
    assert packages_in(read_lines(out, "train_passages.jsonl")) <= train
    assert packages_in(read_lines(out, "dev_questions.jsonl"), "positive_passage_id") == dev
    assert packages_in(read_lines(out, "dev_passages.jsonl")) == dev
    assert packages_in(read_lines(out, "train_dev_passages.jsonl")) <= train | dev
    assert packages_in(read_lines(out, "test_questions.jsonl"), "positive_passage_id") == {"pandas"}


def test_train_sentences_are_distinct_and_of_training_packages_only(tmp_path, locations):
    make_data_set(tmp_path / "out", EVERYTHING, locations)
    sentences = (tmp_path / "out" / "train_sentences.txt").read_text().splitlines()
    own = [(each["title"], each["text"]) for each in read_lines(tmp_path / "out", "train_passages.jsonl")]
    questions = [each["question"] for each in read_lines(tmp_path / "out", "train_questions.jsonl")]
    assert sorted(sentences) == sorted([text for _, text in own] + questions)
    assert len(sentences) == 2 * (SIZES["numpy"] + SIZES["torch"])


@pytest.mark.parametrize("limit", [1, 5, 16, None])
def test_every_question_has_its_passage_among_those_it_is_ranked_against(tmp_path, locations, limit):
    make_data_set(tmp_path / "out", Limits(passages=limit, test_questions=5), locations)
    for split in ("train", "dev", "test"):
        ids = {record["id"] for record in read_lines(tmp_path / "out", f"{split}_passages.jsonl")}
        positives = [
            each["positive_passage_id"] for each in read_lines(tmp_path / "out", f"{split}_questions.jsonl")
        ]
        assert positives
        assert set(positives) <= ids
    expected = sum(SIZES.values()) if limit is None else max(limit, 5)
    assert len(read_lines(tmp_path / "out", "test_passages.jsonl")) == expected


def test_test_passages_are_filled_with_the_test_packages_first(tmp_path, locations):
    make_data_set(tmp_path / "out", LIMITS, locations)
    passages = read_lines(tmp_path / "out", "test_passages.jsonl")
    assert sum(record["id"].startswith("pandas.") for record in passages) == SIZES["pandas"]
    assert len(passages) == LIMITS.passages


def test_no_passage_holds_its_question(tmp_path, locations):
    make_data_set(tmp_path / "out", EVERYTHING, locations)
    text = {record["id"]: record["text"] for record in read_lines(tmp_path / "out", "passages.jsonl")}
    questions = read_lines(tmp_path / "out", "train_questions.jsonl")
    assert len(questions) == SIZES["numpy"] + SIZES["torch"]
    assert not [
        each for each in questions if each["question"].rstrip(".") in text[each["positive_passage_id"]]
    ]


def test_the_readers_of_this_project_read_the_files(tmp_path, locations):
    make_data_set(tmp_path / "out", LIMITS, locations)
    out = tmp_path / "out"
    passages = list(read_passages(out / "train_dev_passages.jsonl"))
    questions = list(read_questions(out / "train_questions.jsonl"))
    assert len(passages) == LIMITS.train_questions + SIZES["sklearn"]
    assert all(passage.title == passage.id and passage.text for passage in passages)
    assert {each for question in questions for each in question.positive_ids} <= {
        each.id for each in passages
    }
    assert not {question.query.id for question in questions} & {passage.id for passage in passages}
    assert len(list(read_simcse_examples(out / "train_sentences.txt"))) == LIMITS.sentences


def test_source_counts_what_the_files_hold(tmp_path, locations):
    make_data_set(tmp_path / "out", LIMITS, locations)
    source = json.loads((tmp_path / "out" / "SOURCE.json").read_text())
    files = {name: content for name, content in bytes_of(tmp_path / "out").items() if name != "SOURCE.json"}
    assert source["lines"] == {name: content.count(b"\n") for name, content in files.items()}
    assert {name: each["passages"] for name, each in source["packages"].items()} == SIZES
    assert source["passages_by_split"] == {"dev": 8, "test": 10, "train": 23}
    assert source["unreadable_files"] == 1
    assert source["limits"] == asdict(LIMITS)


def test_repeated_and_nearly_equal_docstrings_are_dropped_and_counted(tmp_path, locations):
    generator = random.Random(1)
    body = make_words(generator, 40)
    question = "Compute the same thing again."
    texts = [f"{question}\n\n{make_words(generator, 20)}" for _ in range(2)]
    texts += [
        f"First of two.\n\n{body}",
        f"Second of the two.\n\n{body}",
        f"Third of all three.\n\n{body} more",
    ]
    source = "\n".join(f'def f{number}():\n    """{text}"""\n' for number, text in enumerate(texts))
    (tmp_path / "numpy" / "more.py").write_text(source)
    corpus = collect({"numpy": tmp_path / "numpy"})
    assert [pair.name for pair in corpus.pairs if ".more." in pair.name] == ["numpy.more.f3"]
    assert corpus.dropped["question asked more than once"] == 2
    assert corpus.dropped["passage nearly the same as another"] == 1
    assert corpus.dropped["summary too short"] == 1


def test_a_finished_data_set_is_reused(tmp_path, locations):
    assert make_data_set(tmp_path / "out", LIMITS, locations) is True
    before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()}
    assert make_data_set(tmp_path / "out", LIMITS, {}) is False
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()} == before


def test_a_data_set_of_other_limits_is_refused(tmp_path, locations):
    make_data_set(tmp_path / "out", LIMITS, locations)
    with pytest.raises(InputError) as caught:
        make_data_set(tmp_path / "out", EVERYTHING, locations)
    place = tmp_path / "out" / "SOURCE.json"
    assert str(caught.value) == f"{place}: made with other limits; choose another output folder"


def test_a_changed_file_is_refused(tmp_path, locations):
    make_data_set(tmp_path / "out", LIMITS, locations)
    changed = tmp_path / "out" / "test_questions.jsonl"
    changed.write_text(changed.read_text() + "{}\n")
    with pytest.raises(InputError) as caught:
        make_data_set(tmp_path / "out", LIMITS, locations)
    assert str(caught.value) == f"{changed}: changed since it was made: expected the SHA-256 of SOURCE.json"


@pytest.mark.parametrize("text", ["[]", "{}", '{"sha256": 1}'])
def test_another_kind_of_source_file_is_refused(tmp_path, text):
    (tmp_path / "SOURCE.json").write_text(text)
    with pytest.raises(InputError) as caught:
        make_data_set(tmp_path, LIMITS, {})
    expected = f"{tmp_path / 'SOURCE.json'}: not what this script writes; choose another output folder"
    assert str(caught.value) == expected


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path, locations):
    with pytest.raises(InputError) as caught:
        make_data_set(tmp_path, LIMITS, locations)
    assert str(caught.value) == f"{tmp_path}: output folder exists and is not empty"
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(SIZES)


def test_a_run_that_breaks_leaves_no_source_file(tmp_path):
    def breaking():
        yield "{}"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_data_set(tmp_path / "out", {"a.jsonl": ["{}"], "b.jsonl": breaking()}, {})
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["a.jsonl"]


def test_finding_a_package_does_not_import_it(tmp_path, monkeypatch):
    (tmp_path / "a_package").mkdir()
    (tmp_path / "a_package" / "__init__.py").write_text("raise SystemExit")
    (tmp_path / "a_module.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    found = installed_packages(["a_package", "a_module", "not_installed_anywhere"])
    assert found == {"a_package": tmp_path / "a_package", "a_module": tmp_path / "a_module.py"}


def test_the_standard_library_gives_sensible_questions():
    library = standard_library()
    assert {"json", "os", "textwrap"} <= set(library)
    assert not {"_collections_abc", "idlelib", "telnetlib"} & set(library)
    pairs = {
        pair.name: pair for pair in collect({name: library[name] for name in ("textwrap", "shutil")}).pairs
    }
    assert (
        pairs["textwrap.dedent"].question == "Remove any common leading whitespace from every line in text."
    )
    assert pairs["textwrap.dedent"].text.startswith("This can be used to make triple-quoted strings line up")
    assert {"shutil.move", "shutil.copytree"} <= set(pairs)


def test_the_flags_become_limits(tmp_path):
    assert parse_arguments(["--output", "x"])[1] == Limits()
    assert parse_arguments(["--output", "x", "--max-passages", "7"])[1] == Limits(passages=7)
    assert parse_arguments(["--output", "x", "--full"])[1] == EVERYTHING


def test_a_limit_below_one_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--output", "x", "--max-train-questions", "0"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith("error: --max-train-questions must be at least 1, got 0\n")


def test_the_command_says_what_is_wrong_with_the_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.txt").write_text("x")
    monkeypatch.setattr(sys, "argv", ["python_docs.py", "--output", str(tmp_path)])
    assert python_docs.main() == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: output folder exists and is not empty\n"
