"""``ctl eval retrieval``."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from cli.eval_kept import judging_data, judging_settings, keep_and_show, policy_of, sha256_of, show_kept
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


def retrieval(config: EvalRetrievalConfig, as_json: bool = False) -> None:
    """Ask an index questions and measure how far up it ranks the passages that answer them."""
    from retriever.data.question_set import QuestionSet

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
            on_ranking=None if written is None else written.add,
            progress=make_progress(),
        )
        keep_and_show(config, evaluation, result, asked.texts(), as_json=as_json)
        if written is not None:
            written.raise_first_error()


class Written:
    """Rankings on their way to a file; what cannot be written is told after the results are, and costs nothing but the file."""

    def __init__(self, write: "WriteRanking") -> None:
        self._write = write
        self._error: InputError | None = None

    def add(self, query_id: str, ranking: "Ranking") -> None:
        """Write one, unless there was an error."""
        try:
            if self._error is None:
                self._write(query_id, ranking)
        except InputError as error:
            self._error = error

    def raise_first_error(self) -> None:
        """Raise it, if there was one."""
        if self._error is not None:
            raise self._error


@contextmanager
def rankings_written(
    config: EvalRetrievalConfig, asked: "QuestionSet", passages: "OpenIndex"
) -> Iterator[Written | None]:
    """Opens what --rankings names: DPR's results or a TREC run."""
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
    with file as write:
        yield Written(write)


def retrieval_evaluation(config: EvalRetrievalConfig, asked: "QuestionSet") -> "Evaluation":
    """What is evaluated and how, known before any question is searched.

    Raises:
        InputError: no index.
    """
    from retriever.data.files import file_sha256
    from retriever.encoding.device import choose_device, choose_precision
    from retriever.evaluation.results import Evaluation
    from retriever.index.layout import current_generation, read_manifest
    from retriever.search.hybrid import choose_fusion

    generation = current_generation(config.index)
    manifest = read_manifest(config.index, generation)
    fingerprint = manifest.model.fingerprint
    removed = file_sha256(generation.removed) if manifest.removed else None
    corpus = sha256_of([*(each.passages_sha256 for each in manifest.segments), removed])
    hybrid = config.mode == "hybrid"
    return Evaluation(
        suite="retrieval",
        task=asked.name,
        policy={
            **judging_settings(config),
            "corpus_sha256": corpus,
            "precision": choose_precision(config.precision, choose_device(config.device)),
            "approximate": None if config.mode == "bm25" else manifest.recall,
            "fusion": choose_fusion(manifest.fusion, config.fusion_settings()).to_json() if hybrid else None,
        },
        model={
            **asdict(manifest.model),
            "fingerprint": fingerprint if config.mode == "dense" else f"{config.mode}:{fingerprint}",
            "mode": config.mode,
        },
        data={
            "index": str(config.index),
            **judging_data(asked),
            "index_sha256": generation.manifest_sha256,
        },
    )
