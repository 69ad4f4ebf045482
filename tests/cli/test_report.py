"""``ctl report``: what the page says, what it must not do, and what it refuses."""

import json
import re
import sys
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from retriever.evaluation.items import read_items
from retriever.evaluation.results import Evaluation, write_model, write_results
from tests.reporting.results import results

draws = np.random.default_rng(0)
SECOND = draws.random(60)
FIRST = np.clip(SECOND + draws.normal(0.15, 0.1, size=60), 0, 2)
GOLD = draws.uniform(0, 5, 60)
FAST = ("--resamples", "200")
NASTY = "<script>alert(1)</script>&\"'"


class Page(HTMLParser):
    """The page's tags, texts and attributes; it must be well formed."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.rows: list[list[str]] = []
        self.data = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.data += data
        if "td" in self.open[-4:] or "th" in self.open[-4:]:
            self.rows[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def row(self, *begin):
        return next(each for each in self.rows if each[: len(begin)] == list(begin))


@pytest.fixture
def plain(monkeypatch):
    """No pictures, which take the time."""
    monkeypatch.setattr("retriever.reporting.report_page.has_matplotlib", lambda: False)


@pytest.fixture
def pair(tmp_path):
    """Two systems with a retrieval and an STS task, the second worse in both but for a metric in which they are equal."""
    found = []
    for name, values in (("a", FIRST), ("b", SECOND)):
        folder = tmp_path / name
        noise = 0.1 if name == "a" else 3.0
        predicted = GOLD / 5 + noise * np.random.default_rng(1).normal(size=60)
        columns = {"mrr@10": values, "same": SECOND, "accuracy@1": values > 0.5, "accuracy@5": values > 0.3}
        metrics = {key: float(np.mean(each)) for key, each in columns.items()}
        interval = {"mrr@10_low": 0.1, "mrr@10_high": 0.9}
        results(folder, "retrieval", columns, {"queries": 60, **metrics, **interval})
        results(
            folder, "sts", {"predicted": predicted, "gold": GOLD},
            {"spearman_all": 80.0 if name == "a" else 20.0, "pearson_all": None},
            policy={"similarity": "cosine", "headline": "spearman_all"},
        )  # fmt: skip
        results(
            folder,
            "geometry",
            {},
            {"alignment": 0.2, "uniformity": -2.0, "alignment_low": 0.1, "alignment_high": 0.3},
        )
        found.append(str(folder))
    return found


def run_of(folder: Path, dev: str | None = None) -> Path:
    """A finished run; its dev data, if it has any, are of this suite."""
    folder.mkdir(parents=True)
    lines = [json.dumps({"step": step, "loss": 1 / step}) + "\n" for step in (10, 20)]
    (folder / "metrics.jsonl").write_text("".join(lines))
    (folder / "config.json").write_text(json.dumps({"train": NASTY, "learning_rate": 3e-5}))
    (folder / "environment.json").write_text(json.dumps({"seed": 7, "started": "2020-01-01"}))
    model, facts = {"name": folder.name, "fingerprint": folder.name}, {"seed": 7, "steps": 20}
    if dev is None:
        write_model(folder, model, facts)
        return folder
    evaluation = Evaluation(suite=dev, task="dev", policy={}, model=model, data={"sha256": "d" * 64})
    items = [{"id": str(row), "average_rank": value} for row, value in enumerate(SECOND.tolist())]
    write_results(folder, evaluation, {"average_rank": float(SECOND.mean())}, items, facts=facts)
    return folder


def made(tmp_path, *arguments):
    output = tmp_path / "report.html"
    assert main(["report", *arguments, "--output", str(output), *FAST]) == 0
    return Page(output.read_text(encoding="utf-8"))


def refused(tmp_path, capsys, *arguments):
    assert main(["report", *arguments, "--output", str(tmp_path / "report.html")]) == 2
    assert not (tmp_path / "report.html").exists()
    return capsys.readouterr().err.splitlines()[-1].removeprefix("error: ")


def test_scores_stand_side_by_side_with_intervals_and_a_star_only_where_the_difference_is_real(
    tmp_path, pair, plain
):
    page = made(tmp_path, f"new={pair[0]}", f"old={pair[1]}")
    first, second = FIRST.mean(), SECOND.mean()
    assert page.row("mrr@10") == [
        "mrr@10", f"★ {first:.4f} [0.1000, 0.9000]", f"{second:.4f} [0.1000, 0.9000]"
    ]  # fmt: skip
    assert page.row("same") == ["same", f"{second:.4f}", f"{second:.4f}"]
    assert page.row("retrieval/t") == ["retrieval/t", *page.row("mrr@10")]
    assert page.row("sts/t") == ["sts/t", "spearman_all", "★ 80.00", "20.00"]
    assert page.row("pearson_all") == ["pearson_all", "undefined", "undefined"]
    assert page.row("queries") == ["queries", "60", "60"]
    lower = "uniformity (lower is better)"
    assert page.row(lower) == [lower, "−2.00", "−2.00"]


def test_the_comparisons_are_those_of_ctl_compare(tmp_path, pair, plain, capsys):
    page = made(tmp_path, *pair)
    capsys.readouterr()
    assert main(["compare", *pair, "--json", *FAST]) == 0
    comparisons = json.loads(capsys.readouterr().out)["comparisons"]
    for each in comparisons:
        row = page.row(each["metric"], pair[0], pair[1])
        assert row[3] == "60"
        assert [float(cell.replace("−", "-")) for cell in row[-2:]] == pytest.approx(
            [each["p_value"], each["corrected"]], abs=1e-4
        )
    assert f"corrected by Holm for all {len(comparisons)} tests of this page" in page.data


def test_what_moved_most_is_shown_with_its_text(tmp_path, pair, plain):
    page = made(tmp_path, *pair, "--items", "1")
    most = int(np.argmax(np.abs(FIRST - SECOND)))
    assert page.row(f"q{most}", f"text {most}")[2:4] == [f"{FIRST[most]:.4f}", f"{SECOND[most]:.4f}"]
    assert "What moved most" not in made(tmp_path, *pair, "--items", "0").data


def test_the_page_loads_and_runs_nothing_and_says_so_to_the_browser(tmp_path, pair):
    page = made(tmp_path, *pair, str(run_of(tmp_path / "run")))
    assert page.all("script") == []
    policy = next(each for each in page.all("meta") if each.get("http-equiv"))["content"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy and "http" not in policy
    for attributes in (attributes for _, attributes in page.tags):
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))


def test_pictures_are_in_the_page_with_words_for_those_who_do_not_see_them(tmp_path, pair):
    folder = tmp_path / "png"
    page = made(tmp_path, *pair, str(run_of(tmp_path / "run")), "--pictures", str(folder))
    images = page.all("img")
    assert len(images) == 4
    for each in images:
        assert b64decode(each["src"].partition(",")[2]).startswith(b"<?xml")
    alts = [each["alt"].partition(":")[0].partition(" by ")[0] for each in images]
    assert alts == [
        "Curves over k",
        "Boxes of cosine",
        "Points of uniformity and alignment",
        "Curves over the training steps of run.",
    ]
    assert sorted(each.name for each in folder.iterdir()) == [
        "bands-sts-t.png", "plane-geometry-t.png", "top-k-retrieval-t.png", "training-curves.png"
    ]  # fmt: skip
    assert "Means over 60 queries; bands: 95 % percentile bootstrap" in page.data
    assert "60 pairs by people’s score" in page.data


def test_the_page_has_headings_captions_and_scopes(tmp_path, pair, plain):
    page = made(tmp_path, *pair)
    assert len(page.all("h1")) == 1
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(each.get("scope") in ("col", "row") for each in page.all("th"))
    targets = {each["id"] for each in page.all("h2")}
    assert {each["href"][1:] for each in page.all("a")} == targets
    assert page.all("html")[0]["lang"] == "en"


def test_whatever_data_hold_is_shown_and_not_run(tmp_path, capsys):
    folders = []
    for name, values in (("a", FIRST), ("b", SECOND)):
        folder = results(
            tmp_path / f"<b>{name}&\"$x$", "retrieval", {"mrr@10": values}, {"mrr@10": float(values.mean()), NASTY: 1.0},
            policy={NASTY: NASTY, "k": name}, text=NASTY, task="<i>t", fingerprint=f"{name}<u>",
        )  # fmt: skip
        folders.append(str(folder))
    page = made(tmp_path, *folders, str(run_of(tmp_path / "run <em>")), "--title", NASTY)
    assert page.all("script") == [] and page.all("b") == [] and page.all("i") == [] and page.all("em") == []
    assert page.data.count(NASTY) > 10
    assert page.row("mrr@10")[0] == "mrr@10"


def test_equal_inputs_give_equal_bytes(tmp_path, pair):
    run = str(run_of(tmp_path / "run"))
    texts = []
    for name in ("one.html", "two.html"):
        assert main(["report", *pair, run, "--output", str(tmp_path / name), *FAST]) == 0
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    assert b"2020-01-01" not in texts[0]


def test_seeds_of_a_system_are_one_column_with_their_deviation(tmp_path, pair, plain):
    values = FIRST + 0.1
    other = results(tmp_path / "a2", "retrieval", {"mrr@10": values}, {"mrr@10": float(values.mean())})
    page = made(tmp_path, f"ours={pair[0]},{other}", f"old={pair[1]}")
    assert ["metric", "ours (mean of 2 seeds)", "old"] in page.rows
    assert page.row("mrr@10")[1] == f"★ {FIRST.mean() + 0.05:.4f} ± {0.1 / 2**0.5:.4f}"
    assert "sts/t: no results of ours" in page.data
    assert f"ours: {pair[0]}" in page.row("")


def test_other_policies_and_data_are_warned_of_and_the_comparison_left_out(tmp_path, plain, caplog):
    columns, metrics = {"map": SECOND}, {"map": float(SECOND.mean())}
    folders = [
        str(results(tmp_path / name, "retrieval", columns, metrics, policy={"k": k}, sha256=data))
        for name, k, data in (("a", 10, "d"), ("b", 20, "e"))
    ]
    page = made(tmp_path, *folders)
    told = [
        "retrieval/t: not the same policy everywhere (k)",
        "retrieval/t: not the same data everywhere (sha256)",
    ]
    assert all(each in page.data and each in caplog.messages for each in told)
    assert f"not compared: retrieval/t of '{folders[1]}' was evaluated on other data" in page.data
    assert page.row("≠ k") == ["≠ k", "10", "20"]
    assert not [each for each in page.all("h2") if each["id"] == "comparisons"]
    assert "Differences" not in page.data and "first − second" not in page.data


def test_runs_alone_are_curves_and_configs(tmp_path):
    page = made(tmp_path, str(run_of(tmp_path / "run")))
    assert len(page.all("img")) == 1
    assert page.row("steps") == ["steps", "20"]
    assert page.row("learning_rate") == ["learning_rate", "3e-05"]
    assert [each["id"] for each in page.all("h2")] == ["pictures", "runs"]


def test_a_run_with_results_of_its_own_is_both(tmp_path):
    page = made(tmp_path, str(run_of(tmp_path / "run", dev="dev_pool")))
    assert len(page.all("img")) == 1
    assert page.row("average_rank (lower is better)")[1] == f"{SECOND.mean():.4f}"
    assert page.row("steps") == ["steps", "20"]


def test_a_run_without_dev_data_is_no_system_and_other_recipes_dev_data_no_alarm(tmp_path, plain, caplog):
    runs = [
        run_of(tmp_path / "simcse", dev="sts"),
        run_of(tmp_path / "dpr", dev="dev_pool"),
        run_of(tmp_path / "x"),
    ]
    page = made(tmp_path, *map(str, runs))
    assert page.row("task") == ["task", "metric", str(runs[0]), str(runs[1])]
    assert "no results of" not in page.data and not [each for each in caplog.messages if "no results" in each]


def test_the_best_average_rank_is_the_lowest_and_the_page_says_so(tmp_path, plain):
    for suite, name in (("dev_pool", "average_rank"), ("dev_pool", "nll")):
        folders = [
            str(results(tmp_path / f"{name}-{which}", suite, {name: each}, {name: float(each.mean())}))
            for which, each in (("low", SECOND), ("high", FIRST))
        ]
        page = made(tmp_path, *folders)
        assert page.row(f"{name} (lower is better)") == [
            f"{name} (lower is better)", f"★ {SECOND.mean():.4f}", f"{FIRST.mean():.4f}"
        ]  # fmt: skip
        more = np.count_nonzero(SECOND < FIRST)
        assert (
            f"{folders[0]} is better on {more}, equal on 0 and worse on {60 - more} of 60 items" in page.data
        )


def test_where_nobody_knows_which_way_is_better_there_is_no_star_and_no_better(tmp_path, plain):
    folders = [
        str(results(tmp_path / which, "own", {"mean_cosine": each}, {"mean_cosine": float(each.mean())}))
        for which, each in (("a", FIRST), ("b", SECOND))
    ]
    page = made(tmp_path, *folders)
    assert page.row("mean_cosine") == ["mean_cosine", f"{FIRST.mean():.4f}", f"{SECOND.mean():.4f}"]
    assert "equal on 0 of 60 items; these moved most" in page.data and "is better on" not in page.data


def test_what_is_compared_by_common_items_has_no_star_and_a_warning(tmp_path, plain):
    first = results(tmp_path / "a", "retrieval", {"map": FIRST}, {"map": float(FIRST.mean())})
    second = results(tmp_path / "b", "retrieval", {"map": SECOND[:40]}, {"map": 0.9}, sha256="e" * 64)
    page = made(tmp_path, str(first), str(second), "--common")
    assert page.row("map") == ["map", f"{FIRST.mean():.4f}", "0.9000"]
    assert page.row("map", str(first), str(second))[3] == "40"
    assert (
        "retrieval/t: 20 items are not in all systems and were left out of the comparison, which is of 40"
        in page.data
    )


def test_each_file_of_items_is_read_once(tmp_path, pair, plain, monkeypatch):
    read = []

    def counted(folder, *arguments):
        read.append((folder, *arguments[1:]))
        return read_items(folder, *arguments)

    monkeypatch.setattr("retriever.evaluation.systems.read_items", counted)
    made(tmp_path, *pair, "--items", "0")
    assert len(read) == len(set(read)) == 6


def test_what_ctl_index_tune_printed_is_a_picture_and_a_table(tmp_path):
    trade = {
        "recipe": "hnsw", "settings": {"efSearch": 16}, "recall": 0.95, "queries_per_second": 1234.4, "p50_ms": 0.5,
        "p95_ms": 0.75, "bytes_per_vector": 1808, "build_seconds": None, "best": True,
    }  # fmt: skip
    file = tmp_path / "tune.jsonl"
    file.write_text(json.dumps(trade) + "\n" + json.dumps({**trade, "recall": 0.99, "best": False}) + "\n")
    page = made(tmp_path, str(file))
    assert len(page.all("img")) == 1
    assert page.row("hnsw") == ["hnsw", "efSearch 16", "0.9500", "1,234", "0.5000", "0.7500", "1,808", "★"]


def test_without_matplotlib_the_page_has_no_pictures_and_says_so(tmp_path, pair, monkeypatch, caplog, capsys):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = made(tmp_path, *pair)
    told = (
        "There are no pictures here, as matplotlib is missing: pip install 'contrastive-text-learning[plots]'"
    )
    assert told in page.data and told in caplog.messages
    assert page.all("img") == [] and page.row("mrr@10")
    (tmp_path / "report.html").unlink()
    assert refused(tmp_path, capsys, *pair, "--pictures", str(tmp_path / "png")).startswith(
        "pictures need matplotlib"
    )


def test_bad_input_is_one_sentence_and_writes_nothing(tmp_path, pair, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    unlogged = tmp_path / "unlogged"
    unlogged.mkdir()
    (unlogged / "metrics.jsonl").write_text("")
    lines = tmp_path / "x.jsonl"
    lines.write_text('{"recipe": "flat"}\n')
    run = run_of(tmp_path / "run")
    neither = "neither results (ctl eval … --output writes them) nor a training run with metrics"
    no_trade = "not what ctl index tune --json prints: a report is made of folders of results, run directories and that"
    cases = {
        (): "RESULTS is required",
        (str(tmp_path / "none"),): f"{tmp_path / 'none'}: no such file or folder",
        (str(empty),): f"{empty}: {neither}",
        (str(unlogged),): f"{unlogged / 'metrics.jsonl'}: no metrics in this run yet",
        (str(lines),): f"{lines}:1: {no_trade}",
        (pair[0], pair[0]): f"two systems are called '{pair[0]}': name them, as in NAME=FOLDER",
        (f"x={pair[0]},{pair[0]}",): f"{pair[0]}: one model twice among the seeds of 'x'",
        (f"x={pair[0]},{empty}",): f"{empty}: {neither}",
        (f"x={run}",): f"{run}: 'x' names a training run, but only results have names",
        ("=x",): "a system is FOLDER, NAME=FOLDER or NAME=FOLDER,FOLDER, got '=x'",
    }
    for arguments, message in cases.items():
        assert refused(tmp_path, capsys, *arguments) == message
    assert main(["report", pair[0], "--output", str(tmp_path / "r.pdf")]) == 2
    assert capsys.readouterr().err.endswith("r.pdf: the report is a page: its name must end in .html\n")


def test_a_metric_that_no_results_have_is_refused_and_one_that_cannot_be_compared_is_not(
    tmp_path, pair, plain, capsys
):
    asked = ["--metric", "mrr@10", "--metric", "ndcg", "--metric", "predicted"]
    assert refused(tmp_path, capsys, *pair, *asked) == "no task has items with metric ndcg, predicted"
    assert refused(tmp_path, capsys, pair[0], "--metric", "ndcg") == "no task has items with metric ndcg"
    run = str(run_of(tmp_path / "run"))
    assert refused(tmp_path, capsys, run, "--metric", "mrr@10") == "no task has items with metric mrr@10"
    made(tmp_path, *pair, run, "--metric", "mrr@10", "--metric", "spearman_all")
    made(tmp_path, pair[0], "--metric", "mrr@10")


def test_results_without_metrics_are_an_error(tmp_path, pair, capsys):
    file = tmp_path / "a" / "results.json"
    found = json.loads(file.read_text())
    file.write_text(json.dumps({**found, "sts": {"t": 5}}))
    assert (
        refused(tmp_path, capsys, *pair) == f"{file}: not the results of an evaluation: sts/t has no metrics"
    )


def test_damaged_items_are_an_error_and_no_warning(tmp_path, pair, capsys):
    (tmp_path / "a" / "items" / "sts" / "t.jsonl").write_text('{"id": "x"}\n')
    assert "these are not the items of" in refused(tmp_path, capsys, *pair)


def test_the_style_is_the_one_that_the_policy_allows(tmp_path, pair, plain):
    from base64 import b64encode
    from hashlib import sha256

    made(tmp_path, *pair)
    text = (tmp_path / "report.html").read_text()
    style = re.search(r"<style>(.*?)</style>", text, flags=re.DOTALL)[1]
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in text
