"""The JSON of results: ``{suite: {task: {metric: value}}}`` with the policy, model, data and versions behind it."""

from collections.abc import Mapping

from retriever.versions import versions


def results_object(
    suite: str,
    tasks: Mapping[str, Mapping[str, object]],
    *,
    policy: object,
    model: object,
    data: object,
    made_with: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """One suite's results as they are printed and stored.

    Args:
        suite: sts, transfer or retrieval.
        tasks: task → metric → value.
        policy: how the metrics are computed.
        model: which model, or which index and mode.
        data: task → the files it came from.
        made_with: versions, of results that were made before; None: those of now.
    """
    now = versions() if made_with is None else made_with
    return {suite: tasks, "policy": policy, "model": model, "data": data, "versions": now}
