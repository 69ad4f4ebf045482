"""The JSON of results: ``{suite: {task: {metric: value}}}`` with the policy, model, data and versions behind it."""

import platform
from collections.abc import Mapping

COUNTED = (
    "contrastive-text-learning",
    "torch",
    "transformers",
    "faiss-cpu",
    "numpy",
    "scikit-learn",
    "scipy",
)


def results_object(
    suite: str,
    tasks: Mapping[str, Mapping[str, object]],
    *,
    policy: object,
    model: object,
    data: object,
) -> dict[str, object]:
    """One suite's results as they are printed and stored.

    Args:
        suite: sts, transfer or retrieval.
        tasks: task → metric → value.
        policy: how the metrics are computed.
        model: which model, or which index and mode.
        data: task → the files it came from.
    """
    return {suite: tasks, "policy": policy, "model": model, "data": data, "versions": versions()}


def versions() -> dict[str, str]:
    """Our version, Python's, and those of the libraries that figures can depend on, as far as they are installed."""
    from retriever.training.run_directory import versions as installed

    return {"python": platform.python_version(), **installed(COUNTED)}
