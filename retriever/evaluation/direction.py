"""Which way a metric is better, wherever that is known: the best of a row, better and worse, and which model is kept hang on it."""

from retriever.evaluation.ranking import MEASURES, WHOLE

SMALLER_IS_BETTER = {
    "average_rank", "nll",  # dev_pool
    "alignment", "uniformity", "first_direction", "never_retrieved",  # geometry
}  # fmt: skip
LARGER_IS_BETTER = {
    *MEASURES, *WHOLE,  # retrieval and dev_pool, whatever their cut-off; accuracy is of transfer, too
    *(f"{name}_{over}" for name in ("spearman", "pearson") for over in ("all", "mean", "wmean")),  # sts
    "dev_accuracy",  # transfer
}  # fmt: skip


def larger_is_better(metric: str) -> bool | None:
    """Whether more of a metric is better; None: neither is known to be (a count, an anisotropy that is best near 0)."""
    kind = metric.partition("@")[0].removeprefix("answer_")
    if kind in SMALLER_IS_BETTER:
        return False
    return True if kind in LARGER_IS_BETTER else None


def with_direction(metric: str) -> str:
    """A metric's name for people, who take larger for better unless they are told."""
    return f"{metric} (lower is better)" if larger_is_better(metric) is False else metric
