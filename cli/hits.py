"""What a search found, as JSON objects and as a table."""

import sys
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from cli.output import Cell, print_table
from retriever.choices import SearchMode

if TYPE_CHECKING:
    from retriever.records import Passage, Query, Ranking

SNIPPET = 240
PUNCTUATION = ".,;:!?\"'()[]"
SIDES = ("dense", "bm25")

Explain = Callable[[str, str], list[tuple[str, float]]]
"""A question and the id of a passage → words and what they add to its BM25 score."""


def hits_of(
    query: "Query", ranking: "Ranking", passages: Mapping[str, "Passage"], explain: Explain | None = None
) -> list[dict[str, Any]]:
    """A question's passages as JSON objects, best first; of a fused ranking with what each side found, null for nothing."""
    from retriever.search.fusion import FusedRanking

    hits = []
    for rank, hit in enumerate(ranking, start=1):
        passage = passages[hit.id]
        parts = ranking.parts_of(rank - 1) if isinstance(ranking, FusedRanking) else {}
        words = {} if explain is None else {"words": dict(explain(query.text, hit.id))}
        shown = {"title": passage.title, "snippet": snippet(passage.text, query.text), "text": passage.text}
        hits.append({"rank": rank, "id": hit.id, "score": hit.score, **parts, **words, **shown})
    return hits


def snippet(text: str, question: str) -> str:
    """The part of a passage of up to ``SNIPPET`` letters that has most of the question's words, in its middle if it can be."""
    words = text.split()
    asked = {word for each in question.casefold().split() if len(word := each.strip(PUNCTUATION)) > 2}
    letters = list(accumulate((len(word) + 1 for word in words), initial=0))
    found = list(accumulate((word.casefold().strip(PUNCTUATION) in asked for word in words), initial=0))

    def end_of(first: int) -> int:
        return max(first + 1, bisect_right(letters, letters[first] + SNIPPET) - 1)

    if letters[-1] <= SNIPPET + 1:
        return " ".join(words)
    counts = [found[end_of(start)] - found[start] for start in range(len(words))]
    best = counts.index(max(counts))  # the first of a run of starts that are as good
    run = next((each for each in range(best, len(words)) if counts[each] < counts[best]), len(words)) - best
    first = best + run // 2 if counts[best] else 0
    last = end_of(first)
    shown = " ".join(words[first:last])
    after = last < len(words) or len(shown) > SNIPPET  # one word may be longer: not every language has spaces
    return f"{'… ' if first else ''}{shown[:SNIPPET]}{' …' if after else ''}"


def show_hits(query: "Query", hits: Sequence[Mapping[str, Any]], mode: SearchMode) -> None:
    """One question's passages as a table; where there are none, why."""
    if not hits:
        # an index holds a passage at least, but the graph of hnsw leads from a question to some of them only
        reason = (
            f"no passage has any of the words of '{query.text}'"
            if mode == "bm25"
            else f"no passage that the search reached for '{query.text}' is still there: ctl index compact drops what was removed"
        )
        sys.stderr.write(reason + "\n")
        return
    columns = [name for name in CELLS if name in hits[0]]
    rows = [[CELLS[name](hit[name]) for name in columns] for hit in hits]
    print_table(query.text, ["text" if name == "snippet" else name for name in columns], rows)


def place(part: Mapping[str, float] | None) -> str:
    """Rank and score of a side: ``3: 0.71``."""
    return "" if part is None else f"{part['rank']}: {part['score']:.4g}"


def words(shares: Mapping[str, float]) -> str:
    """Words and what they added to a score."""
    return ", ".join(f"{word} {share:.3g}" for word, share in shares.items())


CELLS: dict[str, Callable[[Any], Cell]] = {
    **dict.fromkeys(("rank", "score"), lambda cell: cell),
    **dict.fromkeys(SIDES, place),
    **dict.fromkeys(("id", "title"), lambda cell: cell),
    "words": words,
    "snippet": lambda cell: cell,
}
"""Column, in the table's order → how it is shown."""
