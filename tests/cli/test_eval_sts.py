"""``ctl eval sts``: what it refuses, what it calls undefined, and how often it encodes."""

import json

import pytest

from cli.main import main
from retriever.encoding.encoder import Encoder

CPU = ["--device", "cpu", "--precision", "fp32"]


def write(path, *rows):
    path.write_text("\n".join(["score\tsentence1\tsentence2", *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["1\ta\tb", "high\tc\td", "2\te\tf"], "{file}:3: score must be a finite number, found 'high'"),
        (["1\ta\tb", "2\tc\td", "nan\te\tf"], "{file}:4: score must be a finite number, found 'nan'"),
        (["1\ta\tb", "2\tc\td", "inf\te\tf"], "{file}:4: score must be a finite number, found 'inf'"),
        (["3\ta\tb", "3\tc\td", "3\te\tf"], "{file}: STS task 'pairs': all gold scores are 3, so a correlation is undefined"),
        (["3\ta\tb", "2\tc\td"], "{file}: STS task 'pairs' has 2 pairs: a correlation needs at least 3"),
        (["\ta\tb", "\tc\td"], "{file}: no pair with a gold score in this file"),
    ],
)  # fmt: skip
def test_scores_that_have_no_correlation_are_refused_before_a_model_is_loaded(
    tmp_path, capsys, rows, message
):
    file = write(tmp_path / "pairs.tsv", *rows)
    output = tmp_path / "results"
    assert main(["eval", "sts", str(file), "--model", "no-such-model", "--output", str(output)]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"error: {message.format(file=file)}\n"
    assert captured.out == ""
    assert not output.exists()


def test_equal_similarities_have_no_correlation_and_it_is_said(tmp_path, model_folder, capsys):
    file = write(tmp_path / "pairs.tsv", *(f"{score}\tthe cat\tthe cat" for score in (1, 2, 3)))
    flags = ["eval", "sts", str(file), "--model", str(model_folder), *CPU]
    assert main(flags) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1].split()[:2] == ["pairs", "undefined"]
    assert "nan" not in captured.out
    assert (
        "warning: pairs: all similarities are 1, so their correlation is undefined"
        in captured.err.splitlines()
    )
    assert main([*flags, "--json", "--output", str(tmp_path / "results")]) == 0
    assert json.loads(capsys.readouterr().out)["sts"]["pairs"]["spearman_all"] is None


def test_a_suite_encodes_each_distinct_text_once(tmp_path, model_folder, monkeypatch):
    encoded = []
    real = Encoder.encode

    def encode(self, texts, *rest, **more):
        encoded.extend(texts)
        return real(self, texts, *rest, **more)

    monkeypatch.setattr(Encoder, "encode", encode)
    texts = ["the cat", "a dog", "the sun", "snow falls", "a red car"]
    rows = [f"{number}\t{texts[number]}\t{texts[(number + 1) % 5]}" for number in range(5)]
    files = [write(tmp_path / f"{name}.tsv", *part) for name, part in (("a", rows), ("b", rows[1:]), ("c", rows[:3]))]  # fmt: skip
    flags = ["--model", str(model_folder), "--output", str(tmp_path / "results"), *CPU]
    assert main(["eval", "sts", *map(str, files[:2]), *flags]) == 0
    assert sorted(encoded) == sorted(texts)
    encoded.clear()
    assert main(["eval", "sts", *map(str, files), *flags]) == 0
    assert sorted(encoded) == sorted(texts[:4])  # of the third task alone
