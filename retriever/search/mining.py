"""Hard negatives for DPR training: what a searcher ranks high for a question and is not an answer to it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from retriever.data.answers import has_answer
from retriever.errors import InputError
from retriever.protocols import Searcher
from retriever.records import DprExample, Passage, Ranking

BATCH_SIZE = 256  # questions searched at once


@dataclass(slots=True)
class MiningReport:
    """Counts over the questions so far. A ranking is read until enough negatives are found, and no further."""

    questions: int = 0
    without_negative: int = 0
    kept: int = 0
    dropped_as_positive: int = 0
    dropped_by_answer: int = 0
    dropped_as_duplicate: int = 0


def mine_hard_negatives(
    examples: Iterable[DprExample],
    searcher: Searcher,
    passages: Mapping[str, Passage],
    *,
    depth: int = 100,
    num_hard_negatives: int = 1,
    report: MiningReport | None = None,
) -> Iterator[DprExample]:
    """Give each example the first passages of its ranking that may serve as hard negatives.

    Left out are, in this order: positives of the example, by id and by text; passages whose text equals one that was
    kept; and, where the example has answers, passages that contain one of them as DPR's matcher decides (section 3
    of Karpukhin et al. 2020). Texts are equal up to white space; titles are not compared.

    Args:
        examples: read in batches, as the result is consumed.
        searcher: ranks the passages for the question.
        passages: passage id → passage, of every passage that the searcher may find.
        depth: passages taken from the search, at least 1.
        num_hard_negatives: passages kept at most.
        report: counts what happened, if given.

    Yields:
        Every example in order, with the mined hard negatives, none included, in place of those it had.

    Raises:
        InputError: the searcher finds a passage that is not in ``passages``.
    """
    counts = MiningReport() if report is None else report
    rest = iter(examples)
    while batch := list(islice(rest, BATCH_SIZE)):
        rankings = searcher.search([example.query.text for example in batch], depth)
        for example, ranking in zip(batch, rankings, strict=True):
            negatives = tuple(islice(_negatives(example, ranking, passages, counts), num_hard_negatives))
            counts.questions += 1
            counts.kept += len(negatives)
            counts.without_negative += not negatives
            yield replace(example, hard_negatives=negatives)


def _negatives(
    example: DprExample, ranking: Ranking, passages: Mapping[str, Passage], counts: MiningReport
) -> Iterator[Passage]:
    """The usable passages of a ranking, best first, counting the others."""
    positive_ids = {passage.id for passage in example.positives}
    positive_texts = {_comparable(passage.text) for passage in example.positives}
    kept_texts: set[str] = set()
    for passage_id in ranking.ids:
        if passage_id not in passages:
            raise InputError(f"the search found passage '{passage_id}', which is not in the corpus")
        passage = passages[passage_id]
        text = _comparable(passage.text)
        if passage_id in positive_ids or text in positive_texts:
            counts.dropped_as_positive += 1
        elif text in kept_texts:
            counts.dropped_as_duplicate += 1
        elif has_answer(passage.text, example.answers):
            counts.dropped_by_answer += 1
        else:
            kept_texts.add(text)
            yield passage


def _comparable(text: str) -> str:
    """The text with each run of white space as one blank."""
    return " ".join(text.split())
