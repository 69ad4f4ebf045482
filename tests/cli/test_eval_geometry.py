"""``ctl eval geometry`` from flags to result, on the tiny encoder."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from cli.main import main
from retriever.encoding.encoder import Encoder
from retriever.evaluation.geometry import alignment, mean_cosine, uniformity
from retriever.evaluation.results import read_results

CPU = ["--device", "cpu", "--precision", "fp32"]
PAIRS = [
    ("5", "the cat sat", "a cat sat"),
    ("4.2", "the dog ran", "the dog ran in the park"),
    ("4", "red car", "blue car"),
    ("1", "snow falls", "the cat sat"),
]


@pytest.fixture
def sts(tmp_path):
    """A folder with two files of pairs."""
    folder = tmp_path / "benchmark"
    folder.mkdir()
    for name, pairs in (("train.tsv", PAIRS[:2]), ("test.tsv", PAIRS[2:])):
        rows = ["score\tsentence1\tsentence2", *("\t".join(pair) for pair in pairs)]
        (folder / name).write_text("\n".join(rows) + "\n")
    return folder


def error(capsys):
    return capsys.readouterr().err.splitlines()[-1]


def test_all_files_of_an_sts_folder_are_measured(sts, model_folder, capsys):
    assert main(["eval", "geometry", "--sts", str(sts), "--model", str(model_folder), "--json", *CPU]) == 0
    result = json.loads(capsys.readouterr().out)
    found = result["geometry"]["benchmark"]
    model = Encoder.load(model_folder, device="cpu", precision="fp32")
    positives = [PAIRS[0], PAIRS[1]]
    first, second = (model.encode([pair[side] for pair in positives]) for side in (1, 2))
    # test.tsv comes before train.tsv; the order does not count
    every = model.encode([pair[side] for pair in PAIRS for side in (1, 2)])
    assert found["alignment"] == pytest.approx(alignment(first, second), rel=1e-4)
    assert found["uniformity"] == pytest.approx(uniformity(every), rel=1e-4)
    assert found["mean_cosine"] == pytest.approx(mean_cosine(every), rel=1e-4)
    assert (found["texts"], found["texts_in_file"], found["distinct_texts"]) == (8, 8, 7)
    assert (found["positive_pairs"], found["dimension"]) == (2, 32)
    assert sum(each**2 for each in found["singular_values"]) == pytest.approx(1)
    assert set(result) == {"geometry", "policy", "model", "data", "versions"}


def test_lengths_are_those_before_normalisation(sts, model_folder, tmp_path, capsys):
    names = [str(model_folder), str(tmp_path / "normalised")]
    encoder = Encoder.load(model_folder, device="cpu")
    encoder.settings = replace(encoder.settings, normalize=True)
    encoder.save(names[1])
    flags = [flag for name in names for flag in ("--model", name)]
    assert main(["eval", "geometry", "--sts", str(sts), *flags, "--json", *CPU]) == 0
    first, second = (
        json.loads(line)["geometry"]["benchmark"] for line in capsys.readouterr().out.splitlines()
    )
    assert first["norm_mean"] == pytest.approx(second["norm_mean"]) != pytest.approx(1)
    assert first["uniformity"] == pytest.approx(second["uniformity"])


def test_two_models_stand_side_by_side_and_each_measure_says_what_it_means(
    sts, model_folder, plain_folder, capsys
):
    flags = ["--sts", str(sts), "--model", str(model_folder), "--model", str(plain_folder)]
    assert main(["eval", "geometry", *flags, "--pooling", "mean", *CPU]) == 0
    title, heading, *rows = capsys.readouterr().out.splitlines()
    assert title == "8 of 8 texts (7 different), 2 positive pairs"
    assert str(model_folder) in heading and str(plain_folder) in heading
    alignments = next(row for row in rows if row.startswith("alignment"))
    assert "smaller is better: squared distance" in alignments
    assert not any(row.startswith("hubness") for row in rows)  # of 7 different texts


def test_a_measure_that_is_not_defined_is_called_so(tmp_path, plain_folder, capsys):
    encoder = Encoder.load(plain_folder, pooling="mean", device="cpu")
    last = encoder.transformer.encoder.layer[-1].output.LayerNorm
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(0.5)
    encoder.save(tmp_path / "point")  # whatever is said, the last layer's bias
    file = tmp_path / "sentences.txt"
    file.write_text(
        "".join(f"{word}\n" for word in "cat dog mat park red blue green car slow river paris".split())
    )
    flags = ["eval", "geometry", "--sentences", str(file), "--model", str(tmp_path / "point"), *CPU]
    assert main(flags) == 0
    rows = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines()[2:]}
    assert (rows["hubness"], rows["mean_cosine"], rows["effective_rank"]) == ("undefined", "1.0000", "1.0000")
    assert main([*flags, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["geometry"]["sentences"]["hubness"] is None


def test_passages_are_embedded_with_their_titles_and_a_sample_is_seeded(
    tmp_path, passages, model_folder, capsys
):
    file = tmp_path / "passages.jsonl"
    file.write_text(
        "".join(json.dumps({"id": p.id, "title": p.title, "text": p.text}) + "\n" for p in passages)
    )
    flags = ["eval", "geometry", "--passages", str(file), "--model", str(model_folder), "--json", *CPU]
    assert main(flags) == 0
    found = json.loads(capsys.readouterr().out)["geometry"]["passages"]
    model = Encoder.load(model_folder, device="cpu", precision="fp32")
    every = model.encode([f"{each.title}. {each.text}" for each in passages])
    assert found["uniformity"] == pytest.approx(uniformity(every), rel=1e-4)
    assert "alignment" not in found
    drawn = []
    for seed in ("1", "1", "2"):
        assert main([*flags, "--sample", "4", "--seed", seed]) == 0
        drawn.append(json.loads(capsys.readouterr().out)["geometry"]["passages"])
    assert drawn[0] == drawn[1] != drawn[2]
    assert (drawn[0]["texts"], drawn[0]["texts_in_file"]) == (4, 10)


def test_sentences_of_a_file_with_alignment_from_another(sts, tmp_path, model_folder, capsys):
    file = tmp_path / "sentences.txt"
    file.write_text("the cat sat\nthe dog ran\na red car\nsnow falls\n")
    flags = ["--sts", str(sts), "--sentences", str(file), "--model", str(model_folder)]
    assert main(["eval", "geometry", *flags, "--json", *CPU]) == 0
    found = json.loads(capsys.readouterr().out)["geometry"]["sentences"]
    assert (found["texts"], found["positive_pairs"]) == (4, 2)
    assert np.isfinite(found["alignment"])


def test_a_second_model_that_is_missing_is_told_before_the_first_is_measured(
    sts, tmp_path, model_folder, capsys
):
    flags = ["--sts", str(sts), "--model", str(model_folder), "--model", str(tmp_path / "nothing")]
    assert main(["eval", "geometry", *flags, *CPU]) == 2
    (said,) = capsys.readouterr().err.splitlines()  # no word of an encoder
    assert said.startswith("error: ") and str(tmp_path / "nothing") in said


def test_bad_input_is_one_sentence(sts, tmp_path, model_folder, capsys):
    model = ["--model", str(model_folder), *CPU]

    def fails(*flags):
        assert main(["eval", "geometry", *flags]) == 2
        return error(capsys)

    assert fails(*model) == "error: geometry needs texts: name --sts, --sentences or --passages"
    assert fails("--sts", str(sts)) == "error: --model is required"
    twice = fails("--sts", str(sts), *model, *model[:2])
    assert twice == f"error: --model '{model_folder}' is named twice"
    both = fails("--sentences", "a.txt", "--passages", "b.tsv", *model)
    assert both == "error: --sentences and passages are measured one by one: leave one out"
    low = tmp_path / "low.tsv"
    low.write_text("score\tsentence1\tsentence2\n4\ta\tb\n")
    assert (
        fails("--sts", str(low), *model)
        == f"error: {low}: no pair has a score above 4, so there is no alignment"
    )
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("sent0\tsent1\nthe cat\ta cat\n")
    expected = f"error: {pairs}: holds pairs, not sentences: geometry needs a single column"
    assert fails("--sentences", str(pairs), *model) == expected
    one = tmp_path / "one.txt"
    one.write_text("the cat\nthe cat\n")
    assert (
        fails("--sentences", str(one), *model) == "error: geometry needs at least 2 different texts, found 1"
    )


def test_the_folder_of_results_holds_what_json_prints_and_it_is_not_measured_again(
    sts, tmp_path, model_folder, capsys, monkeypatch
):
    output = tmp_path / "results"
    flags = ["eval", "geometry", "--sts", str(sts), "--model", str(model_folder), *CPU]
    assert main([*flags, "--output", str(output), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    results = read_results(output)
    assert results["geometry"] == printed["geometry"]
    assert results["policy"]["geometry"]["benchmark"] == printed["policy"]
    assert results["items"]["geometry"]["benchmark"]["count"] == 0
    assert main(flags) == 0
    table = capsys.readouterr().out
    monkeypatch.setattr(Encoder, "encode", None)
    assert main([*flags, "--output", str(output)]) == 0
    assert capsys.readouterr().out == table
    assert main([*flags, "--output", str(output), "--sample", "3"]) == 2
    expected = "geometry/benchmark is there with another policy (sample) and data (sha256)"
    assert error(capsys) == f"error: {output}: {expected}: choose another --output, or --replace it"


def test_a_folder_of_results_is_of_one_model(sts, tmp_path, model_folder, plain_folder, capsys):
    models = ["--model", str(model_folder), "--model", str(plain_folder), "--pooling", "mean"]
    assert main(["eval", "geometry", "--sts", str(sts), *models, "--output", str(tmp_path / "r"), *CPU]) == 2
    assert error(capsys) == (
        "error: --output is a folder of results of one model, and 2 are named: one command, and folder, each"
    )
