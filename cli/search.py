"""``ctl search``: one question, a file of them, or a prompt that keeps the model loaded."""

import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from cli.output import print_json, print_table
from retriever.config.evaluation import EvalRetrievalConfig
from retriever.config.search import SearchConfig
from retriever.errors import InputError

if TYPE_CHECKING:
    from retriever.index.opened import OpenIndex
    from retriever.protocols import Searcher
    from retriever.records import Passage, Query, Ranking

BATCH_SIZE = 64
PROMPT = "question> "
SNIPPET = 240
PUNCTUATION = ".,;:!?\"'()[]"
COLUMNS = ("rank", "score", "id", "title", "text")


def search(config: SearchConfig, as_json: bool = False) -> None:
    """Search an index: one question, --questions FILE (JSON, one object a question), or a prompt without either."""
    if config.question is not None and config.questions is not None:
        raise InputError("give a question or --questions, not both")
    searcher, passages = open_index(config)
    recall = None if config.mode == "bm25" else passages.manifest.recall
    many = config.questions is not None
    for queries in batched(queries_of(config), BATCH_SIZE if many else 1):
        for query, ranking in search_batch(searcher, queries, config.k):
            if as_json or many:
                print_json(json_of(query, ranking, passages, recall))
            else:
                show_ranking(query, ranking, passages)


def open_index(config: SearchConfig | EvalRetrievalConfig) -> "tuple[Searcher, OpenIndex]":
    """What searches the index that a command names, and its passages of the same moment."""
    from retriever.search.open import open_index as opened

    return opened(
        config.index,
        mode=config.mode,
        model=config.model,
        passage_model=config.passage_model,
        device=config.device,
        precision=config.precision,
    )


def search_batch(
    searcher: "Searcher", queries: Sequence["Query"], k: int
) -> Iterator[tuple["Query", "Ranking"]]:
    """Each question with its ranking."""
    return zip(queries, searcher.search([query.text for query in queries], k), strict=True)


def queries_of(config: SearchConfig) -> Iterator["Query"]:
    """The questions, from wherever this command has them."""
    from retriever.records import Query

    if config.questions is not None:
        from retriever.data.dpr import read_questions

        yield from (each.query for each in read_questions(config.questions))
    elif config.question is not None:
        if not config.question.strip():
            raise InputError("the question is empty")
        yield Query("1", readable(config.question))
    else:
        for number, text in enumerate(typed_questions(), start=1):
            yield Query(str(number), readable(text))


def readable(text: str) -> str:
    """The text, unless it came in bytes that are no UTF-8: no tokenizer takes what Python makes of those."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("the question is not UTF-8") from None
    return text


def typed_questions() -> Iterator[str]:
    """Lines from the keyboard until it ends (Ctrl-D), or from a pipe; empty ones are skipped."""
    terminal = (
        sys.stdin.isatty() and sys.stdout.isatty()
    )  # else no prompt: input() would write it among the results
    if terminal:
        import readline  # noqa: F401  # gives input() its history and line editing
    while True:
        try:
            text = input(PROMPT if terminal else "").strip()
        except EOFError:
            sys.stderr.write("\n" if terminal else "")
            return
        if text:
            yield text


def batched(queries: Iterable["Query"], size: int) -> Iterator[list["Query"]]:
    """Lists of up to ``size`` questions; with size 1 each is answered before the next is asked for."""
    waiting = iter(queries)
    while batch := list(islice(waiting, size)):
        yield batch


def json_of(
    query: "Query",
    ranking: "Ranking",
    passages: Mapping[str, "Passage"],
    recall: Mapping[str, float | str] | None,
) -> dict[str, object]:
    """One question's passages as a JSON object; ``approximate`` tells the measured recall of an index that is not exact."""
    hits = []
    for rank, hit in enumerate(ranking, start=1):
        passage = passages[hit.id]
        hits.append(
            {
                "rank": rank,
                "id": hit.id,
                "score": hit.score,
                "title": passage.title,
                "snippet": snippet(passage.text, query.text),
                "text": passage.text,
            }
        )
    approximate = {} if recall is None else {"approximate": recall}
    return {"id": query.id, "question": query.text, **approximate, "hits": hits}


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


def show_ranking(query: "Query", ranking: "Ranking", passages: Mapping[str, "Passage"]) -> None:
    """One question's passages as a table."""
    if not len(ranking.ids):
        sys.stderr.write(f"no passage has any of the words of '{query.text}'\n")
        return
    found = [(rank, hit, passages[hit.id]) for rank, hit in enumerate(ranking, start=1)]
    rows = [
        (rank, hit.score, hit.id, passage.title, snippet(passage.text, query.text))
        for rank, hit, passage in found
    ]
    print_table(query.text, COLUMNS, rows)
