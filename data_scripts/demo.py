"""The main job from end to end, on the documentation of the installed Python packages: what ``make demo`` runs.

    python data_scripts/demo.py [--full] [--folder DIR] [--data DIR] [--seed N]

Every step is an ordinary command, printed before it runs. A step whose result is there is not run again; one that was
killed is run anew (an index goes on from its last shard). Test questions are about packages that training never saw.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from retriever.data.files import read_json, write_json

BASE = "packaged:all-MiniLM-L6-v2"
SCRIPTS = Path(__file__).parent
QUESTIONS = (
    "How do I find the shortest path between two nodes of a graph?",
    "fill in missing values by interpolation",
    "show a progress bar in the terminal",
)
COLUMNS = ("accuracy@1", "accuracy@5", "accuracy@20", "accuracy@100")
SMALL = {
    "passages": 2500,
    "train-questions": 1500,
    "dev-questions": 300,
    "test-questions": 1000,
    "sentences": 4000,
}
"""What fits into a quarter of an hour on two CPU cores; --full lifts every limit."""


@dataclass(frozen=True)
class Demo:
    """Where the demo lives, and how big it is."""

    folder: Path
    data: Path
    seed: int
    full: bool

    def run(self) -> None:
        """All steps, then the table and the searches."""
        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.check_same_demo()
        self.make_data()
        self.ctl(
            "train-simcse",
            train=self.data / "train_sentences.txt",
            output=self.folder / "simcse",
            seed=self.seed,
        )
        self.ctl(
            "mine",
            questions=self.data / "train_questions.jsonl",
            passages=self.data / "train_passages.jsonl",
            output=self.folder / "train_hard.jsonl",
        )
        self.ctl(
            "train-dpr",
            train=self.folder / "train_hard.jsonl",
            passages=self.data / "train_dev_passages.jsonl",
            dev=self.data / "dev_questions.jsonl",
            dev_pool_size=1000 if not self.full else 5000,
            model=self.better_on_dev(),
            output=self.folder / "dpr",
            seed=self.seed,
        )
        results = self.evaluate_all()
        write_json(self.folder / "results.json", results)
        print_table(results)
        say(f"{time.monotonic() - started:.0f} seconds for what was not there yet")
        self.search()

    def check_same_demo(self) -> None:
        """What is in the folder was made with these very settings, or the demo stops."""
        settings = {
            "seed": self.seed,
            "full": self.full,
            "data": str(self.data),
            "base": BASE,
            "limits": SMALL,
        }
        file = self.folder / "settings.json"
        if not file.exists():
            write_json(file, settings)
        elif read_json(file) != settings:
            sys.exit(
                f"error: {self.folder} holds a demo with other settings: delete it, or name another --folder"
            )

    def make_data(self) -> None:
        """Collect the docstrings."""
        limits = [f"--max-{name}={value}" for name, value in SMALL.items()]
        script = [sys.executable, str(SCRIPTS / "python_docs.py"), "--output", str(self.data)]
        run([*script, *(["--full"] if self.full else limits)])

    def better_on_dev(self) -> str:
        """The encoder that DPR starts from: base or SimCSE, by reciprocal rank on the dev packages."""
        values = {}
        for name, model in (("base", BASE), ("simcse", str(self.folder / "simcse"))):
            index = self.index(f"dev-{name}", model, self.data / "dev_passages.jsonl")
            values[model] = self.evaluate(f"dev-{name}", index, "dense", "dev")["mrr@10"]
        best = max(values, key=lambda model: values[model])
        told = ", ".join(f"{model} {value:.4f}" for model, value in values.items())
        say(f"dev mrr@10: {told}; DPR starts from {best}")
        return best

    def evaluate_all(self) -> dict[str, dict[str, float]]:
        """Row of the table → metrics on the held-out packages."""
        corpus = self.data / "test_passages.jsonl"
        base = self.index("base", BASE, corpus)
        simcse = self.index("simcse", str(self.folder / "simcse"), corpus)
        dpr = self.index("dpr", str(self.folder / "dpr"), corpus, bm25=True)
        return {
            "BM25": self.evaluate("bm25", dpr, "bm25", "test"),
            "base model": self.evaluate("base", base, "dense", "test"),
            "SimCSE": self.evaluate("simcse", simcse, "dense", "test"),
            "DPR": self.evaluate("dpr", dpr, "dense", "test"),
            "BM25 + DPR": self.evaluate("hybrid", dpr, "hybrid", "test"),
        }

    def index(self, name: str, model: str, passages: Path, *, bm25: bool = False) -> Path:
        """Build an index of the demo."""
        output = self.folder / "index" / name
        self.ctl("index", passages=passages, model=model, output=output, bm25=bm25)
        return output

    def evaluate(self, name: str, index: Path, mode: str, split: str) -> dict[str, float]:
        """Evaluate an index on the dev or test questions; the rankings are kept as a TREC run."""
        output = self.folder / "evaluation" / f"{name}.json"
        output.parent.mkdir(exist_ok=True)
        if not output.exists():
            options = {
                "index": index,
                "questions": self.data / f"{split}_questions.jsonl",
                "mode": mode,
                "rankings": output.with_suffix(".trec"),
            }
            printed = run([*command("eval", "retrieval", **options), "--json"], capture=True)
            write_json(output, json.loads(printed))
        found = read_json(output)
        assert isinstance(found, dict)
        metrics: dict[str, float] = found["retrieval"][f"{split}_questions"]
        return metrics

    def ctl(self, name: str, *, output: Path, **options: object) -> None:
        """Run a command that makes ``output``, unless that is there and whole."""
        whole = {"mine": output, "index": output / "CURRENT"}.get(name, output / "results.json")
        if whole.exists():
            say(f"{output} is there")
            return
        if name.startswith("train") and output.exists():  # killed half-way: no part of it is used
            shutil.rmtree(output)
        run(command(name, output=output, **options))

    def search(self) -> None:
        """Three example searches over the trained index, typed into the prompt that keeps the model loaded."""
        run(
            [*command("search"), str(self.folder / "index" / "dpr"), "--mode", "hybrid", "-k", "3"],
            typed="\n".join(QUESTIONS) + "\n",
        )


def command(*words: str, **options: object) -> list[str]:
    """A ``ctl`` command line: keyword → flag, True → a flag alone, False → nothing."""
    line = ["ctl", *words]
    for name, value in options.items():
        if value is not False:
            line += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return line


def run(line: list[str], *, capture: bool = False, typed: str | None = None) -> str:
    """Say and run a command line; stop the demo with its exit code if it fails."""
    say("$ " + shlex.join(line))
    actual = [sys.executable, "-m", "cli", *line[1:]] if line[0] == "ctl" else line
    done = subprocess.run(actual, stdout=subprocess.PIPE if capture else None, input=typed, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""


def say(text: str) -> None:
    """To standard error, at once: the results alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


def print_table(results: dict[str, dict[str, float]]) -> None:
    """The results on the held-out packages, in percent."""
    first = next(iter(results.values()))
    print(
        f"\nGold passage found, % of {first['questions']:.0f} questions about packages not seen in training\n"
    )
    print(f"{'':12}{'top-1':>8}{'top-5':>8}{'top-20':>8}{'top-100':>8}")
    for name, metrics in results.items():
        print(f"{name:12}" + "".join(f"{100 * metrics[column]:8.1f}" for column in COLUMNS))
    print(flush=True)


def parse_arguments() -> Demo:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--full", action="store_true", help="all passages, questions and sentences: hours on a CPU"
    )
    parser.add_argument("--folder", type=Path, help="where everything goes (default: demo or demo-full)")
    parser.add_argument(
        "--data", type=Path, help="the data set, made if missing (default: data in the folder)"
    )
    parser.add_argument("--seed", type=int, default=42, help="seed of both trainings (default: 42)")
    given = parser.parse_args()
    folder = given.folder or Path("demo-full" if given.full else "demo")
    return Demo(folder, given.data or folder / "data", given.seed, given.full)


if __name__ == "__main__":
    parse_arguments().run()
