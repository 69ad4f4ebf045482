"""A report as a browser shows it: headless Chromium opens the page, which asks nobody for anything."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from cli.main import main
from tests.reporting.results import results

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --window-size=1100,1400"
).split()

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two systems and a run, with pictures."""
    folder = tmp_path_factory.mktemp("report")
    draws = np.random.default_rng(0)
    gold = draws.uniform(0, 5, 80)
    for name, noise in (("ours", 0.1), ("<script>theirs", 0.4)):
        hits = {f"accuracy@{k}": (draws.random(80) < k / 30 - noise).astype(float) for k in (5, 10, 20)}
        metrics = {key: float(each.mean()) for key, each in hits.items()}
        results(folder / name, "retrieval", hits, metrics, text="<script>document.title='run'</script>")
        items = {"predicted": gold / 5 + draws.normal(0, noise, 80), "gold": gold}
        results(folder / name, "sts", items, {"spearman_all": 90 - 100 * noise})
        results(folder / name, "geometry", {}, {"alignment": noise, "uniformity": -2 + noise})
    run = folder / "run"
    run.mkdir()
    lines = [json.dumps({"step": step, "loss": 1 / step}) + "\n" for step in range(1, 9)]
    (run / "metrics.jsonl").write_text("".join(lines))
    names = [str(folder / name) for name in ("ours", "<script>theirs", "run")]
    output = folder / "report.html"
    assert (
        main(["report", *names, "--output", str(output), "--title", "Ours & theirs", "--resamples", "200"])
        == 0
    )
    return output


def opened(page: Path, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """What Chromium writes when it opens the page."""
    return subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'user'}",
         "--enable-logging=stderr", *flags, page.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip


def test_the_page_is_shown_whole_and_asks_for_nothing(page, tmp_path):
    # a copy in which a script, which only this test allows, writes down what the browser made of the page
    text = page.read_text()
    probe = (
        "<script>addEventListener('load', () => { const shown = [...document.images].map(each => each.naturalWidth);"
        "document.documentElement.dataset.found = JSON.stringify({title: document.title, images: shown,"
        "tables: document.querySelectorAll('table').length, loaded: performance.getEntriesByType('resource')"
        ".map(each => each.name).filter(each => !each.startsWith('data:')),"
        "font: getComputedStyle(document.querySelector('table')).borderCollapse}); })</script></body>"
    )
    probed = tmp_path / "probed.html"
    probed.write_text(
        text.replace("default-src", "script-src 'unsafe-inline'; default-src").replace("</body>", probe)
    )
    dom = opened(probed, tmp_path, "--dump-dom").stdout
    found = json.loads(
        re.search(r'data-found="([^"]*)"', dom)[1].replace("&quot;", '"').replace("&amp;", "&")
    )
    assert found["title"] == "Ours & theirs"
    assert found["tables"] == text.count("<table>") > 8
    assert len(found["images"]) == 4 and min(found["images"]) > 300
    assert found["loaded"] == []
    assert found["font"] == "collapse"  # the policy lets the page's own style be used


def test_nothing_of_the_page_is_refused_by_its_own_policy_and_no_script_runs(page, tmp_path):
    done = opened(page, tmp_path, "--dump-dom")
    assert "Content Security Policy" not in done.stderr and "CONSOLE" not in done.stderr
    assert "<title>Ours &amp; theirs</title>" in done.stdout


@pytest.mark.parametrize(("scheme", "dark"), [("1", False), ("0", True)])
def test_the_page_is_drawn_in_light_and_dark(page, tmp_path, scheme, dark):
    picture = tmp_path / "shot.png"
    opened(page, tmp_path, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}")
    shot = imread(picture)
    assert shot.shape[:2] == (1400, 1100)
    margin = shot[:, :10, :3].mean()
    assert margin < 0.2 if dark else margin > 0.95
    assert shot[:, :, :3].std() > 0.05  # there is something on it
