from dataclasses import replace
from pathlib import Path

import pytest

from retriever.errors import InputError
from retriever.evaluation.results import Evaluation, read_results, write_results
from retriever.evaluation.suite import Average, TaskResult, run_suite

ONE = Evaluation(
    suite="sts",
    task="a",
    policy={"similarity": "cosine"},
    model={"name": "m", "fingerprint": "abc"},
    data={"sha256": "123"},
)
TASKS = {name: replace(ONE, task=name) for name in ("a", "b", "c")}


def mean_of_all(metrics: dict) -> dict | None:
    values = [each["score"] for each in metrics.values()]
    return {"score": sum(values) / 3} if len(values) == 3 else None


AVERAGE = Average("mean", lambda name: name if name in TASKS else None, mean_of_all, ("chosen",))


class Evaluate:
    """Scores the tasks 1, 2, 3 …, until one fails."""

    def __init__(self, failing: str | None = None) -> None:
        self.failing, self.evaluated = failing, []

    def __call__(self, task: str) -> TaskResult:
        if task == self.failing:
            raise InputError("does not work")
        self.evaluated.append(task)
        score = float(" abc".index(task))
        return TaskResult({"score": score}, [{"id": "1", "score": score}], {"chosen": score})


@pytest.mark.parametrize("kept", [True, False])
def test_metrics_and_policies_come_in_the_order_given_and_the_average_last(
    tmp_path: Path, kept: bool
) -> None:
    output = tmp_path / "r" if kept else None
    tasks = dict(reversed(TASKS.items()))
    for expected in (["c", "b", "a"], [] if kept else ["c", "b", "a"]):
        evaluate = Evaluate()
        found = run_suite(tasks, evaluate, output=output, replace_stored=False, average=AVERAGE)
        assert evaluate.evaluated == expected
        metrics, policies = found
        assert list(metrics.items()) == [
            ("c", {"score": 3.0}),
            ("b", {"score": 2.0}),
            ("a", {"score": 1.0}),
            ("mean", {"score": 2.0}),
        ]
        assert list(policies) == ["c", "b", "a"]
        assert policies["b"] == {"similarity": "cosine", "chosen": 2.0}
    if kept:
        results = read_results(tmp_path / "r")
        assert results["sts"] == metrics
        assert results["policy"]["sts"]["a"] == policies["a"]
        assert results["items"]["sts"]["a"]["count"] == 1


def test_a_refusal_of_the_last_task_comes_before_the_first_is_evaluated(tmp_path: Path) -> None:
    write_results(tmp_path / "r", replace(TASKS["c"], policy={"similarity": "dot"}), {"score": 1})
    evaluate = Evaluate()
    with pytest.raises(InputError, match=r"sts/c is there with another policy \(similarity\)"):
        run_suite(TASKS, evaluate, output=tmp_path / "r", replace_stored=False)
    assert evaluate.evaluated == []
    run_suite(TASKS, evaluate, output=tmp_path / "r", replace_stored=True)
    assert evaluate.evaluated == ["a", "b", "c"]


def test_what_was_evaluated_before_a_failure_is_kept(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not work"):
        run_suite(TASKS, Evaluate(failing="c"), output=tmp_path / "r", replace_stored=False, average=AVERAGE)
    evaluate = Evaluate()
    metrics, _ = run_suite(TASKS, evaluate, output=tmp_path / "r", replace_stored=False, average=AVERAGE)
    assert evaluate.evaluated == ["c"]
    assert metrics["mean"] == {"score": 2.0}


def test_tasks_of_different_policies_have_no_average(tmp_path: Path, caplog) -> None:
    tasks = {**TASKS, "b": replace(TASKS["b"], policy={"similarity": "dot"})}
    metrics, _ = run_suite(tasks, Evaluate(), output=tmp_path / "r", replace_stored=False, average=AVERAGE)
    assert metrics["mean"] == {"score": None}
    assert "the seven tasks were not evaluated by one policy: no average" in caplog.messages
