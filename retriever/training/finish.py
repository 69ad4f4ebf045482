"""The end of a run: ``results.json`` in the form of ``ctl eval … --output``, of the model as it was saved."""

import logging
import math
from collections.abc import Mapping

from retriever.choices import Precision
from retriever.encoding.dual_encoder import DualEncoder
from retriever.evaluation.results import write_model, write_results
from retriever.training.checkpoint import Best
from retriever.training.dev import DevData
from retriever.training.run_directory import RunDirectory

logger = logging.getLogger(__name__)

TOLERANCE = 1e-3
"""Relative difference between the metric that chose a model and that of the model as it was saved; a GPU does not repeat itself to the bit."""


def finish(
    run: RunDirectory,
    steps: int,
    dev: DevData | None,
    *,
    device: str,
    precision: Precision,
    facts: Mapping[str, int | str],
) -> None:
    """Load the model that was kept, evaluate it, write results.json with its items, and say which model it is.

    Args:
        run: the run directory, its model saved.
        steps: where training ended.
        dev: the dev data, if there are any.
        device: where to evaluate.
        precision: as in training.
        facts: further keys of results.json.
    """
    saved = run.saved_best()
    best = saved if saved is not None and saved.metrics else None
    model = DualEncoder.load(run.path, device=device, precision=precision)
    about = {"name": str(run.path), "fingerprint": model.fingerprint, "description": model.describe()}
    kept: dict[str, int | str] = (
        {"kept": "last"} if best is None else {"kept": "best", "best_step": best.step}
    )
    facts = {**facts, "steps": steps, **kept}
    if dev is None:
        write_model(run.path, about, facts)
    else:
        judged = dev.judge(model)
        if best is not None:
            _compare(best, judged.metrics[dev.metric], dev.metric)
        write_results(run.path, dev.evaluation(model, about), judged.metrics, judged.items, facts=facts)
    run.forget_checkpoint()
    if best is None:
        return
    if best.step == 0:
        logger.warning("training never improved on the model it started from: that one is kept")
    else:
        logger.info("kept the model of step %d", best.step)


def _compare(best: Best, found: float, metric: str) -> None:
    """A model folder that does not do what the model did would be the worst of silent errors."""
    if not math.isclose(best.metrics[metric], found, rel_tol=TOLERANCE):
        logger.warning(
            "dev %s was %.4g in training and is %.4g of the model as it was saved",
            metric,
            best.metrics[metric],
            found,
        )
