"""``ctl search``: one question, a file of them, or a prompt that keeps the model loaded."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from cli.hits import Explain, hits_of, show_hits
from cli.output import print_json
from retriever.choices import SearchMode
from retriever.config.search import SearchConfig, SearchedIndexConfig
from retriever.data.batched import batched
from retriever.errors import InputError

if TYPE_CHECKING:
    from retriever.index.opened import OpenIndex
    from retriever.protocols import LexicalSearcher, Searcher
    from retriever.records import Query, Ranking

BATCH_SIZE = 64
PROMPT = "question> "


def search(config: SearchConfig, as_json: bool = False) -> None:
    """Search an index: one question, --questions FILE (JSON, one object a question), or a prompt without either."""
    if config.question is not None and config.questions is not None:
        raise InputError("give a question or --questions, not both")
    searcher, passages = open_index(config)
    about, explain = about_of(config, searcher, passages), explainer(config, searcher)
    many = config.questions is not None
    size = BATCH_SIZE if many else 1  # 1: each question is answered before the next is asked for
    for queries in batched(queries_of(config), size):
        for query, ranking in search_batch(searcher, queries, config.k):
            hits = hits_of(query, ranking, passages, explain)
            if as_json or many:
                print_json({"id": query.id, "question": query.text, **about, "hits": hits})
            else:
                show_hits(query, hits, config.mode)


def open_index(
    config: SearchConfig | SearchedIndexConfig, mode: SearchMode | None = None
) -> "tuple[Searcher, OpenIndex]":
    """What searches the index that a command names, and its passages of the same moment; in another mode where one is given."""
    from retriever.search.open import open_index as opened

    return opened(
        config.index,
        mode=mode or config.mode,
        fusion=config.fusion_settings(),
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
        except UnicodeDecodeError:  # where Python was told to be strict
            raise InputError("the question is not UTF-8") from None
        if text:
            yield text


def about_of(
    config: SearchConfig | SearchedIndexConfig, searcher: "Searcher", index: "OpenIndex"
) -> dict[str, object]:
    """What a result says of how it was found: the measured recall of an index that is not exact, and the fusion of mode hybrid."""
    from retriever.search.hybrid import HybridSearcher

    recall = None if config.mode == "bm25" else index.manifest.recall
    return {
        **({} if recall is None else {"approximate": recall}),
        **({"fusion": searcher.fusion.to_json()} if isinstance(searcher, HybridSearcher) else {}),
    }


def explainer(config: SearchConfig, searcher: "Searcher") -> Explain | None:
    """What tells the words of a BM25 score, if that was asked for: the config refuses it where there is none."""
    return cast("LexicalSearcher", searcher).explain if config.explain else None
