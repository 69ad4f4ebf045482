"""Does SimCSE learn as sentence-transformers does? STS-B dev along the way, with the same loss and settings.

    python benchmarks/simcse_quality.py --data DIR --work DIR [--systems NAME,…] [--seeds 1,2,3] [--quick] [--output FILE]

Trains the transformer of packaged:all-MiniLM-L6-v2, [CLS] for pooling, for which it was not made: so there is something to learn.
``unsupervised``: the same sentence twice, of ``DIR/unsup/*.txt``; ``supervised``: ``DIR/nli/triplets.tsv`` with one hard negative.
250 steps of 64, up to 32 tokens, cosine at temperature 0.05, no warm-up, both sides in bf16 where the CPU computes in it, with dropout 0.1. Every 50 steps
``DIR/sts/STSBenchmark``'s dev set is scored, on both sides by our evaluator. A case is one evaluation: means over the seeds and
their difference in standard errors of that difference, which should be between -2 and 2.
"""

import json
import random
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from _quality import (
    BATCH_SIZE,
    PRECISION,
    TEMPERATURE,
    arguments,
    ctl,
    report,
    seeds_of,
    standard_errors,
    train_with_peer,
)

from retriever.data.lines import read_lines
from retriever.data.simcse import read_simcse_examples
from retriever.data.sts import read_sts_task
from retriever.encoding.locate import locate_model
from retriever.evaluation.sts import evaluate_sts

MODEL = "packaged:all-MiniLM-L6-v2"
PLAIN_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
"""Of the packaged model, which declares its pooling, what makes a folder that declares none."""

MAX_LENGTH = 32
LEARNING_RATES = {"unsupervised": 3e-5, "supervised": 5e-5}
"""SimCSE, table A.1, for BERT-base."""

Trajectory = Mapping[int, float]
"""Step → 100 · Spearman of the dev set."""


class Work:
    """The files of the benchmark: what is there is not made again.

    Args:
        data: the shared data sets.
        folder: where runs and trajectories are kept.
        steps: of each run.
        every: steps between evaluations.
    """

    def __init__(self, data: Path, folder: Path, *, steps: int, every: int) -> None:
        self.data, self.folder, self.steps, self.every = data, folder, steps, every
        self.dev = data / "sts" / "STSBenchmark" / "dev.tsv"
        self.model = folder / "plain"
        if not self.model.exists():
            self.model.mkdir()
            for name in PLAIN_FILES:
                shutil.copy(locate_model(MODEL) / name, self.model)

    def ours(self, system: str, seed: int) -> Trajectory:
        """By ``ctl train-simcse``."""
        run = self.folder / f"{system}-{seed}"
        if not (run / "results.json").exists():
            ctl(
                "train-simcse",
                "--resume",
                train=self.train(system),
                dev=self.dev,
                output=run,
                model=self.model,
                pooling="cls",
                head="none",
                max_length=MAX_LENGTH,
                temperature=TEMPERATURE,
                batch_size=BATCH_SIZE,
                learning_rate=LEARNING_RATES[system],
                max_steps=self.steps,
                eval_every=self.every,
                seed=seed,
            )
        lines = [
            json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        return {line["step"]: line["dev"]["spearman_all"] for line in lines if "dev" in line}

    def peer(self, system: str, seed: int) -> Trajectory:
        """By sentence-transformers' trainer."""
        file = self.folder / f"{system}-peer-{seed}.json"
        if not file.exists():
            file.write_text(json.dumps(self._train_peer(system, seed)), encoding="utf-8")
        return {int(step): value for step, value in json.loads(file.read_text(encoding="utf-8")).items()}

    def train(self, system: str) -> Path:
        """The training data, the same for all seeds."""
        if system == "supervised":
            return self.data / "nli" / "triplets.tsv"
        file = self.folder / "sentences.txt"
        if not file.exists():
            sources = sorted((self.data / "unsup").glob("*.txt"))
            lines = dict.fromkeys(line.strip() for source in sources for _, line in read_lines(source))
            chosen = random.Random(0).sample([line for line in lines if line], self.steps * BATCH_SIZE)
            file.write_text("\n".join(chosen) + "\n", encoding="utf-8")
        return file

    def _train_peer(self, system: str, seed: int) -> Trajectory:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
        from transformers import TrainerCallback

        transformer = Transformer(str(self.model), max_seq_length=MAX_LENGTH)
        pooling = Pooling(transformer.get_embedding_dimension(), "cls")
        model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
        task = read_sts_task(self.dev, split="dev")
        found: dict[int, float] = {}

        def judge(step: int) -> None:
            was_training = model.training
            model.max_seq_length = (
                transformer.model.config.max_position_embeddings
            )  # only training cuts sooner, as in SimCSE's code
            with torch.autocast("cpu", torch.bfloat16, enabled=PRECISION == "bf16"):  # as we encode
                found[step] = evaluate_sts(lambda texts: model.encode(list(texts)), task)["spearman_all"]
            model.max_seq_length = MAX_LENGTH
            model.train(was_training)

        every = self.every

        class Judge(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401
                if state.global_step % every == 0:
                    judge(state.global_step)

        judge(0)
        train_with_peer(
            model,
            self._columns(system),
            self.folder / "trainer",
            callbacks=[Judge()],
            learning_rate=LEARNING_RATES[system],
            max_steps=self.steps,
            seed=seed,
        )
        return found

    def _columns(self, system: str) -> Mapping[str, Sequence[str]]:
        examples = list(read_simcse_examples(self.train(system)))
        columns = {
            "anchor": [each.anchor for each in examples],
            "positive": [each.positive or each.anchor for each in examples],
        }
        if system == "supervised":
            columns["negative"] = [each.hard_negatives[0] for each in examples]
        return columns


def cases_of(
    system: str, ours: Sequence[Trajectory], peer: Sequence[Trajectory]
) -> dict[str, dict[str, object]]:
    """One case an evaluation."""
    return {
        f"{system} step {step}": compared([each[step] for each in ours], [each[step] for each in peer])
        for step in ours[0]
    }


def compared(ours: Sequence[float], peer: Sequence[float]) -> dict[str, object]:
    """Means and standard deviations over the seeds, and the difference in standard errors."""
    return {
        "ours": round(mean(ours), 2),
        "peer": round(mean(peer), 2),
        "ratio": round(mean(ours) / mean(peer), 4),
        "sd": {"ours": round(stdev(ours), 3), "peer": round(stdev(peer), 3)} if len(ours) > 1 else None,
        "difference": round(mean(ours) - mean(peer), 3),
        "standard_errors": standard_errors(ours, peer),
        "unit": "100 x Spearman, STS-B dev",
    }


def main() -> None:
    """Train what is missing, compare, print."""
    given = arguments(__doc__, tuple(LEARNING_RATES)).parse_args()
    seeds = seeds_of(given)
    given.work.mkdir(parents=True, exist_ok=True)
    work = Work(given.data, given.work, steps=10 if given.quick else 250, every=5 if given.quick else 50)
    cases: dict[str, dict[str, object]] = {}
    for system in given.systems.split(","):
        sides: list[Callable[[str, int], Trajectory]] = [work.ours, work.peer]
        ours, peer = zip(*([side(system, seed) for side in sides] for seed in seeds), strict=True)
        cases |= cases_of(system, ours, peer)
    for name, case in cases.items():
        print(
            f"{name:28}{case['ours']:>8}{case['peer']:>8}{case['difference']:>+9} = {case['standard_errors']} SE",
            file=sys.stderr,
        )
    settings = {"batch_size": BATCH_SIZE, "learning_rates": LEARNING_RATES, "steps": work.steps}
    report("simcse_quality", given, settings, cases)


if __name__ == "__main__":
    main()
