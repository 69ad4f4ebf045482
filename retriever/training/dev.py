"""What a model is judged by while it trains, by the code of ``ctl eval``; the model that is kept is judged once more, as it was saved."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain, zip_longest
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retriever.choices import PassageFormat
from retriever.config.groups import OptimConfig
from retriever.config.results import INTERVALS
from retriever.data.hashes import add_text
from retriever.data.sts import read_sts_task, task_sha256
from retriever.encoding.dual_encoder import DualEncoder, format_passage
from retriever.evaluation.average_rank import evaluate_ranks
from retriever.evaluation.results import Evaluation, require_task_name
from retriever.evaluation.sts import require_scorable, score_sts, sts_evaluation
from retriever.records import DprExample, Passage
from retriever.training.loop import DevEvaluation

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """A model's metrics on dev data, and the items that they are computed of, as for ``write_results``."""

    metrics: Mapping[str, float]
    items: Iterable[Mapping[str, object]]


class DevData(Protocol):
    """Dev data of a recipe.

    Attributes:
        metric: the one that decides which model is kept.
        logged: the metrics that are logged on the way.
        sha256: of the content.
    """

    metric: str
    logged: tuple[str, ...]
    sha256: str

    def judge(self, model: DualEncoder) -> Judged:
        """Evaluate a model."""
        ...

    def evaluation(self, model: DualEncoder, facts: Mapping[str, object]) -> Evaluation:
        """What is evaluated and how; ``facts`` are of the model, its fingerprint among them."""
        ...


def dev_evaluation(data: DevData, model: DualEncoder, config: OptimConfig) -> DevEvaluation:
    """How the model is judged on the way."""

    def evaluate() -> dict[str, float]:
        found = data.judge(model).metrics
        return {name: found[name] for name in data.logged}

    return DevEvaluation(evaluate, data.metric, config.eval_every, config.patience)


class StsDev:
    """Spearman correlation on an STS task.

    Args:
        path: an STS file, or a folder with a dev file.

    Raises:
        InputError: no such data, or data of which there is no correlation.
    """

    metric = "spearman_all"
    logged: tuple[str, ...] = ("spearman_all", "spearman_all_low", "spearman_all_high", "pearson_all")

    def __init__(self, path: Path) -> None:
        task = read_sts_task(path, split="dev")
        require_scorable(task, path)
        # a folder's own name is that of its test data
        self.task = replace(task, name=f"{task.name}-dev") if path.is_dir() else task
        self.path, self.sha256 = path, task_sha256(task)
        require_task_name(self.task.name)

    def judge(self, model: DualEncoder) -> Judged:
        """By the evaluator that ``ctl eval sts`` uses."""
        encoder = model.query
        found = score_sts(encoder.encode, self.task, similarity=encoder.settings.similarity)
        return Judged(found.metrics, found.items())

    def evaluation(self, model: DualEncoder, facts: Mapping[str, object]) -> Evaluation:
        """As ``ctl eval sts`` has it of the dev file."""
        encoder = model.query
        return sts_evaluation(
            self.task,
            self.path,
            encoder.settings.similarity,
            precision=encoder.precision,
            max_length=encoder.settings.max_length,
            model=facts,
        )


class PoolDev:
    """Average rank of the gold passage in one fixed pool, and the loss of finding it there.

    Args:
        path: where the examples come from.
        examples: questions with their positives, all of which are in the pool.
        pool: the passages, as ``dev_pool`` chooses them.
        temperature: of the loss.
        passage_format: as ``dev_pool`` was given it.
    """

    metric = "average_rank"
    logged: tuple[str, ...] = ("average_rank", "mrr", "accuracy@1", "accuracy@5", "accuracy@20", "nll")

    def __init__(
        self,
        path: Path,
        examples: Sequence[DprExample],
        pool: Sequence[Passage],
        temperature: float,
        passage_format: PassageFormat,
    ) -> None:
        row = {format_passage(each, passage_format): number for number, each in enumerate(pool)}
        self.path, self.pool, self.temperature = path, pool, temperature
        self.positives = [
            list(dict.fromkeys(row[format_passage(each, passage_format)] for each in one.positives))
            for one in examples
        ]
        self.questions = [each.query.text for each in examples]
        self.sha256 = self._sha256()
        self.name = Path(path.stem).stem
        require_task_name(self.name)
        logger.info("dev: %d questions against a fixed pool of %d passages", len(self.questions), len(pool))

    def judge(self, model: DualEncoder) -> Judged:
        """Every question against the whole pool."""
        queries, passages = model.encode_queries(self.questions), model.encode_passages(self.pool)
        metrics, values = evaluate_ranks(queries, passages, self.positives, temperature=self.temperature)
        return Judged(metrics, self._items(values))

    def _items(self, values: Mapping[str, NDArray[np.float64]]) -> Iterator[dict[str, object]]:
        for number, text in enumerate(self.questions):
            own = {name: float(each[number]) for name, each in values.items()}
            yield {"id": str(number + 1), "text": text, **own}

    def evaluation(self, model: DualEncoder, facts: Mapping[str, object]) -> Evaluation:
        """Not the suite of ``ctl eval retrieval``, which ranks a whole corpus."""
        settings = model.passage.settings
        policy = {
            "ranks": "from 0, of the best positive among the passages of the pool that are none of the question's; equal scores: before it",
            "nll": "−log softmax of the first positive in the pool, the other positives left out",
            "temperature": self.temperature,
            "similarity": settings.similarity,
            "pool": len(self.pool),
            "passage_format": settings.passage_format,
            "max_length": settings.max_length,
            "query_max_length": model.query.settings.query_max_length,
            "precision": model.query.precision,
            "intervals": INTERVALS,
        }
        data = {"path": str(self.path), "sha256": self.sha256, "questions": len(self.questions)}
        return Evaluation(suite="dev_pool", task=self.name, policy=policy, model=facts, data=data)

    def _sha256(self) -> str:
        digest = sha256()
        for text in chain(self.questions, (text for each in self.pool for text in (each.title, each.text))):
            add_text(digest, text)
        digest.update(repr(self.positives).encode())
        return digest.hexdigest()


def dev_pool(
    examples: Sequence[DprExample], corpus: Mapping[str, Passage], size: int, passage_format: PassageFormat
) -> list[Passage]:
    """The fixed pool of the dev evaluation: all positives, then other passages until there are ``size``.

    Hard negatives come first, the first of each question before the second of any; then the corpus in its order. Of passages that are
    the same in this format, one is taken. The same for any number of processes: DPR's own pool grows with each.
    """
    positives = (each for example in examples for each in example.positives)
    pool = {format_passage(each, passage_format): each for each in positives}
    if len(pool) > size:
        logger.warning(
            "the dev pool holds all %d positives, more than the %d passages asked for", len(pool), size
        )
    by_turn = chain.from_iterable(zip_longest(*(each.hard_negatives for each in examples)))
    for passage in chain(by_turn, corpus.values()):
        if len(pool) >= size:
            break
        if passage is not None:
            pool.setdefault(format_passage(passage, passage_format), passage)
    return list(pool.values())
