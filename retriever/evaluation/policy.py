"""Every choice in judging rankings that moves a number, and what none of the choices are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from retriever.choices import AnswerMatch, SelfHitPolicy, TiePolicy, UnjudgedPolicy
from retriever.records import Ranking


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalPolicy:
    """How rankings are judged.

    Attributes:
        ties: equal scores stay as they are ranked, or are sorted as trec_eval does: by passage id, largest first.
        unjudged: passages that the qrels do not judge are not relevant, or left out of the ranking (condensed, trec_eval's ``-J``).
        self_hits: a passage with the question's own id counts as any other, or is left out of ranking and judgements, as BEIR leaves it
            out of rankings.
        answer_match: answers are looked for as DPR's tokens in a row, or as regular expressions.
    """

    ties: TiePolicy = "ranking"
    unjudged: UnjudgedPolicy = "not_relevant"
    self_hits: SelfHitPolicy = "keep"
    answer_match: AnswerMatch = "string"

    def kept(self, query_id: str, ranking: Ranking) -> Ranking:
        """The hits that count: without the query itself where it is to be dropped."""
        if self.self_hits == "keep" or query_id not in ranking.ids:
            return ranking
        others = [place for place, each in enumerate(ranking.ids) if each != query_id]
        return Ranking([ranking.ids[place] for place in others], ranking.scores[others])

    def order(self, ranking: Ranking) -> Sequence[str]:
        """The ids in the order that counts."""
        return ranking.ids if self.ties == "ranking" else _in_order_of_trec_eval(ranking)

    def condensed(self, ids: Sequence[str], grades: Mapping[str, int]) -> Sequence[str]:
        """The ids that count: without the unjudged ones where they are to be left out."""
        return ids if self.unjudged == "not_relevant" else judged_of(ids, grades)

    def to_json(self) -> dict[str, str]:
        """For results: the choices, and what is always so."""
        return {**asdict(self), **ALWAYS}


def judged_of(ids: Sequence[str], grades: Mapping[str, int]) -> list[str]:
    """The ids that are judged; to trec_eval a grade below 0 says that one is not."""
    return [each for each in ids if grades.get(each, -1) >= 0]


ALWAYS = {
    "unjudged_are": "those without a grade, or with one below 0",
    "metrics_by": "trec_eval, through pytrec_eval; mrr@k is its reciprocal rank, 0 where that is below 1/k",
    "relevant": "a grade above 0; in ndcg the gain is the grade",
    "metrics_without_cutoff": "map, mrr and ndcg are of the first k passages; k null: of all of a ranking",
    "order": "own passages are left out first, then equal scores are ordered, then unjudged passages are left out, then the first k "
    "count; a search finds k besides its question's own, so that of its rankings fewer than k may be judged",
    "relevant_passages_not_in_the_corpus": "count as not found",
    "queries_without_a_relevant_passage": "left out",
    "judged_queries_without_a_ranking": "0",
    "answers": "in the passage's text, its title not searched; an answer without tokens is in no passage, nor is a pattern that takes "
    "too long, from then on",
}


def _in_order_of_trec_eval(ranking: Ranking) -> tuple[str, ...]:
    with np.errstate(over="ignore"):
        scores = ranking.scores.astype(np.float32).tolist()  # trec_eval holds scores in single precision
    order = sorted(zip(scores, ranking.ids, strict=True), reverse=True)
    return tuple(each for _, each in order)
