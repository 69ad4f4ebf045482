"""``ctl eval --output`` and ``ctl compare`` on what it kept."""

import json
import os

import numpy as np
import pytest

from cli.compare import parse_system
from cli.main import main
from retriever.evaluation.correlation import spearman
from retriever.evaluation.results import Evaluation, write_results

CPU = ["--device", "cpu", "--precision", "fp32"]


def results(folder, fingerprint, values, *, suite="retrieval", sha256="d", k=10):
    """A folder of results whose items hold these values: metric → one a query."""
    evaluation = Evaluation(
        suite=suite,
        task="t",
        policy={"k": k},
        model={"name": fingerprint, "fingerprint": fingerprint},
        data={"sha256": sha256},
    )
    columns = dict(values)
    ids = columns.pop("id", [f"q{row}" for row in range(len(next(iter(columns.values()))))])
    items = [
        {"id": each, "text": f"text {each}", **{name: float(column[row]) for name, column in columns.items()}}
        for row, each in enumerate(ids)
    ]
    write_results(folder, evaluation, {}, items)
    return str(folder)


draws = np.random.default_rng(0)
SECOND = draws.random(60)
FIRST = SECOND + draws.normal(0.1, 0.1, size=60)


@pytest.fixture
def pair(tmp_path):
    return [
        results(tmp_path / "a", "a", {"mrr": FIRST, "map": SECOND}),
        results(tmp_path / "b", "b", {"mrr": SECOND, "map": SECOND}),
    ]


def compared(arguments, capsys):
    assert main(["compare", *arguments, "--json", "--resamples", "500"]) == 0
    return json.loads(capsys.readouterr().out)["comparisons"]


def refused(arguments, capsys):
    assert main(["compare", *arguments]) == 2
    return capsys.readouterr().err.splitlines()[-1].removeprefix("error: ")


def test_a_planted_difference_is_found_and_the_equal_metric_not(pair, capsys):
    mrr, equal = compared([*pair, "--items", "2"], capsys)
    assert mrr["difference"] == pytest.approx(float((FIRST - SECOND).mean()))
    assert mrr["low"] < mrr["difference"] < mrr["high"] and mrr["low"] > 0
    assert mrr["p_value"] < 0.01 and mrr["corrected"] == pytest.approx(2 * mrr["p_value"])
    most = int(np.argmax(np.abs(FIRST - SECOND)))
    assert (mrr["moved"][0]["id"], mrr["moved"][0]["text"]) == (f"q{most}", f"text q{most}")
    assert (equal["difference"], equal["p_value"], equal["equal"], equal["moved"]) == (0, 1, 60, [])


def test_for_people_it_is_a_table_and_one_of_what_moved(pair, capsys):
    assert main(["compare", f"new={pair[0]}", f"old={pair[1]}", "--items", "1", "--metric", "mrr"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0]
        == "first - second; p by 10,000 random swaps, corrected by Holm for 1 tests; intervals are not corrected"
    )
    assert lines[2].split()[:4] == ["retrieval/t", "mrr", "new", "old"]
    better = np.count_nonzero(FIRST > SECOND)
    assert (
        lines[4]
        == f"retrieval/t, mrr: moved most; new better on {better}, equal on 0, worse on {60 - better} of 60"
    )


def test_where_less_is_better_the_first_is_better_on_the_items_where_it_is_lower(tmp_path, capsys):
    folders = [
        results(tmp_path / name, name, {"nll": each, "mean_cosine": each}, suite="dev_pool")
        for name, each in (("a", SECOND), ("b", FIRST))
    ]
    loss, unknown = compared(folders, capsys)
    better = np.count_nonzero(SECOND < FIRST)
    assert (loss["larger_is_better"], loss["better"], loss["worse"]) == (False, better, 60 - better)
    assert loss["difference"] == pytest.approx(float((SECOND - FIRST).mean()))
    assert (unknown["larger_is_better"], unknown["better"], unknown["equal"], unknown["worse"]) == (
        None,
        None,
        0,
        None,
    )
    assert main(["compare", *folders, "--items", "1", "--resamples", "100"]) == 0
    text = capsys.readouterr().out
    assert "dev_pool/t  nll (lower is better)  " in text
    assert (
        f"dev_pool/t, nll (lower is better): moved most; {folders[0]} better on {better}, equal on 0" in text
    )
    assert "dev_pool/t, mean_cosine: moved most; equal on 0 of 60\n" in text


def test_seeds_of_a_system_are_averaged_and_their_deviation_told(tmp_path, pair, capsys):
    other = results(tmp_path / "a2", "a2", {"mrr": FIRST + 0.1, "map": SECOND})
    (found,) = compared([f"ours={pair[0]},{other}", pair[1], "--metric", "mrr"], capsys)
    assert found["first_value"] == pytest.approx(FIRST.mean() + 0.05)
    assert found["first_deviation"] == pytest.approx(0.1 / 2**0.5)
    assert found["second_deviation"] is None


def test_three_systems_are_compared_two_by_two(tmp_path, pair, capsys):
    third = results(tmp_path / "c", "c", {"mrr": SECOND, "map": SECOND})
    found = compared([*pair, third, "--metric", "mrr"], capsys)
    assert [(each["first"], each["second"]) for each in found] == [
        (pair[0], pair[1]), (pair[0], third), (pair[1], third)
    ]  # fmt: skip
    assert found[0]["corrected"] == pytest.approx(3 * found[0]["p_value"])


def test_correlations_are_compared_as_correlations(tmp_path, capsys):
    gold = draws.integers(0, 6, size=80).astype(float)
    good, bad = gold + draws.normal(size=80), draws.normal(size=80)
    folders = [
        results(tmp_path / name, name, {"predicted": each, "gold": gold}, suite="sts")
        for name, each in (("good", good), ("bad", bad))
    ]
    found = compared([*folders, "--items", "1"], capsys)
    assert [each["metric"] for each in found] == ["spearman_all", "pearson_all"]
    assert found[0]["difference"] == pytest.approx(spearman(good, gold) - spearman(bad, gold))
    assert found[0]["p_value"] < 0.01
    other = results(tmp_path / "other", "other", {"predicted": bad, "gold": gold[::-1]}, suite="sts")
    assert refused([folders[0], other], capsys) == (
        "sts/t: items of one id have other gold scores: these are not the same pairs"
    )


def test_missing_items_are_counted_and_refused_or_left_out(tmp_path, pair, capsys, caplog):
    ids = [f"q{row}" for row in range(5, 65)]
    shifted = results(tmp_path / "c", "c", {"id": ids, "mrr": SECOND, "map": SECOND})
    assert refused([pair[0], shifted], capsys) == (
        f"retrieval/t: 10 items are not in all systems ('{pair[0]}' 60, '{shifted}' 60): --common compares the 55 that are"
    )
    found = compared([pair[0], shifted, "--common"], capsys)
    assert {each["items"] for each in found} == {55}
    assert found[0]["second_value"] == pytest.approx(SECOND[:55].mean())
    assert "retrieval/t: 10 items are not in all systems: left out, 55 compared" in caplog.messages


def test_other_data_are_refused_and_other_policies_told(tmp_path, pair, capsys, caplog):
    values = {"mrr": SECOND, "map": SECOND}
    other = results(tmp_path / "c", "c", values, sha256="e")
    assert refused([pair[0], other], capsys).startswith(
        f"{other}: retrieval/t of '{other}' was evaluated on other data than that of '{pair[0]}'"
    )
    deeper = results(tmp_path / "d", "d", values, k=20)
    compared([pair[0], deeper], capsys)
    assert (
        f"retrieval/t: '{pair[0]}' and '{deeper}' were evaluated by different policies: k (10 and 20)"
        in caplog.messages
    )


def test_what_cannot_be_compared_is_refused(tmp_path, pair, capsys):
    alone = results(tmp_path / "c", "c", {"mrr": SECOND}, suite="other")
    assert refused([pair[0]], capsys) == "systems: a comparison needs two or more"
    assert refused([pair[0], pair[0]], capsys) == (
        f"two systems are called '{pair[0]}': name them, as in NAME={pair[0]}"
    )
    assert (
        refused([f"x={pair[0]},{pair[0]}", pair[1]], capsys)
        == f"{pair[0]}: one model twice among the seeds of 'x'"
    )
    assert refused([pair[0], alone], capsys) == "the systems have no task with items in common"
    assert refused([*pair, "--metric", "ndcg"], capsys) == (
        "no task that the systems have in common has metric ndcg"
    )
    assert (
        refused([pair[0], str(tmp_path / "none")], capsys)
        == f"{tmp_path / 'none' / 'results.json'}: no such file"
    )
    assert (
        refused([pair[0], "=x"], capsys) == "a system is FOLDER, NAME=FOLDER or NAME=FOLDER,FOLDER, got '=x'"
    )


def test_a_folder_may_have_an_equals_sign_and_a_comma_in_its_name(tmp_path):
    folder = tmp_path / "a=b,c"
    folder.mkdir()
    assert parse_system(str(folder)) == (str(folder), [folder])
    assert parse_system(f"x={folder}") == ("x", [folder])


def test_a_folder_whose_name_is_not_utf_8_is_compared_and_reported(tmp_path, pair, capfdbinary):
    folder = results(tmp_path / "caf\udce9", "c", {"mrr": SECOND})
    flags = ["--resamples", "100"]
    assert main(["compare", folder, pair[0], *flags]) == 0
    assert os.fsencode(folder) in capfdbinary.readouterr().out
    assert main(["compare", folder, pair[0], *flags, "--json"]) == 0
    assert folder in json.loads(capfdbinary.readouterr().out)["systems"]
    output = tmp_path / "caf\udce9.html"
    assert main(["report", folder, pair[0], *flags, "--output", str(output)]) == 0
    assert capfdbinary.readouterr().out == bytes(output) + b"\n"
    assert "caf?" in output.read_text()


def test_eval_keeps_what_compare_reads_and_resumes(tmp_path, model_folder, capsys, caplog):
    words = "the cat sat dog ran park red car snow falls winter piano bird sings".split()
    rows = [
        f"{row % 6}\t{words[row]} {words[row + 1]}\t{words[row + 1]} {words[row + 2]}" for row in range(12)
    ]
    data = tmp_path / "data.tsv"
    data.write_text("\n".join(["score\tsentence1\tsentence2", *rows]) + "\n")
    outputs = [str(tmp_path / name) for name in ("mean", "cls")]
    command = ["eval", "sts", str(data), "--model", str(model_folder), *CPU, "--json"]
    assert main([*command, "--output", outputs[0]]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main([*command, "--output", outputs[0]]) == 0
    assert json.loads(capsys.readouterr().out)["sts"] == first["sts"]
    assert any("already" in each for each in caplog.messages)
    assert main([*command, "--output", outputs[0], "--similarity", "dot"]) == 2
    assert (
        "sts/data is there with another policy (similarity): choose another --output"
        in capsys.readouterr().err
    )
    assert main([*command, "--output", outputs[1], "--similarity", "manhattan"]) == 0
    capsys.readouterr()
    found = compared(outputs, capsys)
    assert found[0]["first_value"] == pytest.approx(first["sts"]["data"]["spearman_all"])
    assert found[0]["items"] == 12


def test_the_seven_task_average_is_of_what_the_folder_holds(tmp_path, model_folder, capsys, caplog):
    words = "the cat sat dog ran park red car snow falls winter piano bird sings".split()
    names = ["STS12", "STS13", "STS14", "STS15", "STS16", "STSBenchmark", "SICK"]
    for shift, name in enumerate(names):
        rows = [f"{(row + shift) % 5}\t{words[row]} {words[row + 1]}\t{words[row + 1]}" for row in range(10)]
        (tmp_path / f"{name}.tsv").write_text("\n".join(["score\tsentence1\tsentence2", *rows]) + "\n")
    files = [str(tmp_path / f"{name}.tsv") for name in names]
    output = tmp_path / "kept"
    command = ["--model", str(model_folder), *CPU, "--json"]

    def printed(*arguments):
        assert main(["eval", "sts", *arguments, *command]) == 0
        return json.loads(capsys.readouterr().out)["sts"]

    whole = printed(*files)
    expected = np.mean([whole[name]["spearman_all"] for name in names])
    assert whole["average"]["spearman_all"] == pytest.approx(expected)
    assert "average" not in printed(*files[:4], "--output", str(output))
    assert printed(*files[4:], "--output", str(output))["average"] == pytest.approx(whole["average"])
    other = printed(files[0], "--output", str(output), "--replace", "--similarity", "dot")
    assert other["average"]["spearman_all"] is None
    assert "the seven tasks were not evaluated by one policy: no average" in caplog.messages
    assert json.loads((output / "results.json").read_text())["sts"]["average"]["spearman_all"] is None
