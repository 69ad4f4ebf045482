"""``ctl map``."""

from typing import TYPE_CHECKING

from cli.output import print_line
from cli.search import readable
from retriever.config.report import MapConfig
from retriever.errors import InputError

if TYPE_CHECKING:
    from retriever.index.opened import OpenIndex
    from retriever.index.parts import Parts
    from retriever.reporting.corpus_map import Marked


def corpus_map(config: MapConfig) -> None:
    """Draw an index's passages in the plane in which they spread most, and what is found for a question among them."""
    from retriever.index.opened import OpenIndex
    from retriever.index.sample import sample_vectors
    from retriever.index.stored import stored_vectors
    from retriever.reporting.corpus_map import draw_map
    from retriever.reporting.figure import require_picture, write_png

    require_picture(config.output)
    marked = None
    if config.question is None:
        opened, stored = OpenIndex.open_with(config.index, lambda opened: (opened, stored_vectors(opened)))
    else:
        opened, stored, marked = found(config)
    vectors, _ = sample_vectors(stored, config.sample, seed=config.seed)
    write_png(draw_map(vectors, len(opened), marked), config.output)
    print_line(str(config.output))


def found(config: MapConfig) -> "tuple[OpenIndex, Parts, Marked]":
    """The index and its vectors, with the question and its hits."""
    from retriever.index.stored import stored_vectors, vectors_of
    from retriever.index.vectors import SegmentedVectors
    from retriever.reporting.corpus_map import Marked
    from retriever.search.dense import DenseSearcher
    from retriever.search.open import open_index

    question = readable(config.question or "")
    if not question.strip():
        raise InputError("the question is empty")
    searcher, opened = open_index(
        config.index,
        mode="dense",
        model=config.model,
        passage_model=config.passage_model,
        device=config.device,
        precision=config.precision,
    )
    if not isinstance(searcher, DenseSearcher) or not isinstance(searcher.index, SegmentedVectors):
        raise TypeError(f"mode dense has a {type(searcher).__name__}")
    mapped = searcher.index.mapped  # opened with the passages; the folder may hold others by now
    (vector,) = vectors = searcher.encode([question])
    (ranking,) = searcher.index.search(vectors, config.k)
    passages = [opened[each] for each in ranking.ids]
    titles = [each.title or each.text for each in passages]
    marked = Marked(question, vector, titles, vectors_of(opened, list(ranking.ids), mapped))
    return opened, stored_vectors(opened, mapped), marked
