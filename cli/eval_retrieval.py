"""``ctl eval retrieval``."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli.eval_kept import keep_and_show, show_kept
from cli.progress import make_progress
from cli.search import open_index
from retriever.config.retrieval import EvalRetrievalConfig
from retriever.errors import InputError

if TYPE_CHECKING:
    from retriever.data.question_set import QuestionSet
    from retriever.data.rankings import WriteRanking
    from retriever.evaluation.results import Evaluation
    from retriever.index.opened import OpenIndex
    from retriever.records import Ranking

logger = logging.getLogger(__name__)


def retrieval(config: EvalRetrievalConfig, as_json: bool = False) -> None:
    """Ask an index questions and measure how far up it ranks the passages that answer them."""
    from retriever.data.question_set import QuestionSet
    from retriever.evaluation.retrieval_evaluation import retrieval_evaluation

    asked = QuestionSet.read(config.questions, config.qrels, config.split)
    require_rankings_can_be_written(config, asked)
    evaluation = retrieval_evaluation(config, asked)
    if not show_kept(config, evaluation, as_json=as_json, again=config.rankings is not None):
        evaluate(config, asked, evaluation, as_json=as_json)


def require_rankings_can_be_written(config: EvalRetrievalConfig, asked: "QuestionSet") -> None:
    """Before an evaluation of hours, not after it."""
    from retriever.data.files import require_writable

    if config.rankings is not None:
        if config.rankings.resolve() in asked.inputs():
            raise InputError("the output is one of the inputs", path=config.rankings)
        require_writable(config.rankings)


def evaluate(
    config: EvalRetrievalConfig, asked: "QuestionSet", evaluation: "Evaluation", *, as_json: bool
) -> None:
    """Open the index, evaluate, keep and print; the rankings are written meanwhile."""
    from retriever.evaluation.retrieval import evaluate_retrieval
    from retriever.evaluation.retrieval_evaluation import policy_of

    searcher, passages = open_index(config)
    with rankings_written(config, asked, passages) as written:
        result = evaluate_retrieval(
            searcher,
            asked.questions or [],
            qrels=asked.qrels,
            passages=passages,
            metrics=config.metrics,
            k=config.k,
            policy=policy_of(config),
            source=asked.judgements_file,
            on_ranking=None if written is None else written.add,
            progress=make_progress(),
        )
        keep_and_show(config, evaluation, result, asked.texts(), as_json=as_json)


class Written:
    """Rankings on their way to a file; what cannot be written, also of a full disk, costs nothing but the file.

    It is told at once, and again, as the error that it is, after the results are printed and kept.
    """

    def __init__(self, path: Path, write: "WriteRanking") -> None:
        self._path, self._write = path, write
        self._error: InputError | None = None

    def add(self, query_id: str, ranking: "Ranking") -> None:
        """Write one, unless there was an error."""
        if self._error is not None:
            return
        try:
            self._write(query_id, ranking)
        except (InputError, OSError) as error:
            self._error = error if isinstance(error, InputError) else not_written(self._path, error)
            logger.warning("%s; the evaluation goes on, without this file", self._error)

    def raise_first_error(self) -> None:
        """Raise it, if there was one."""
        if self._error is not None:
            raise self._error


def not_written(path: Path, error: OSError) -> InputError:
    """The InputError for a file whose disk is full."""
    return InputError(f"cannot be written: {error.strerror}", path=path)


@contextmanager
def rankings_written(
    config: EvalRetrievalConfig, asked: "QuestionSet", passages: "OpenIndex"
) -> Iterator[Written | None]:
    """Opens what --rankings names: DPR's results or a TREC run. What cannot be written is an error at the end."""
    from retriever.data.answers import MATCHERS
    from retriever.data.ranking_files import dpr_results_file, is_dpr_results
    from retriever.data.rankings import rankings_file

    if config.rankings is None:
        yield None
        return
    if is_dpr_results(config.rankings):
        questions = {each.query.id: each for each in asked.questions or ()}
        file = dpr_results_file(config.rankings, questions, passages, MATCHERS[config.answer_match])
    else:
        file = rankings_file(config.rankings, config.mode)
    results_are_safe = False
    try:
        with file as write:
            written = Written(config.rankings, write)
            yield written
            results_are_safe = True
            written.raise_first_error()
    except OSError as error:  # of the last bytes, which are written when the file is closed
        if not results_are_safe:
            raise
        raise not_written(config.rankings, error) from None
