"""A map of a corpus: its vectors in the plane in which they spread most, with a question and what was found for it."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retriever.errors import InputError
from retriever.reporting.figure import COLOURS, finish_axes, literal, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Vectors = NDArray[np.float32]
TITLE_LETTERS, MOST_TITLES, POINT_AREA = 46, 20, 6


@dataclass(frozen=True, slots=True)
class Plane:
    """The first two principal components of vectors.

    Attributes:
        mean: (D,) of the vectors.
        directions: (2, D) orthonormal; of each the coordinate that is largest by value is positive, so that the map has one orientation.
        shares: of the variance, of each direction.
    """

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    shares: tuple[float, float]

    @classmethod
    def of(cls, vectors: Vectors) -> "Plane":
        """By singular values of (n, D) centred vectors.

        Raises:
            InputError: they are fewer than 3, all are one point, or have one dimension.
        """
        if len(vectors) < 3 or vectors.shape[1] < 2:
            raise InputError(f"a map needs 3 vectors of 2 dimensions or more, found {vectors.shape}")
        values = vectors.astype(np.float64)
        mean = values.mean(axis=0)
        _, singular, directions = np.linalg.svd(values - mean, full_matrices=False)
        variances = singular**2
        if not variances.sum() > 1e-12 * np.square(values).sum():
            raise InputError("a map needs different vectors: all of these are one point")
        largest = np.abs(directions[:2]).argmax(axis=1)
        signs = np.sign(directions[[0, 1], largest])
        first, second = (variances[:2] / variances.sum()).tolist()
        return cls(mean, directions[:2] * signs[:, None], (first, second))

    def project(self, vectors: Vectors) -> NDArray[np.float64]:
        """(n, D) vectors → (n, 2) places on the map."""
        found: NDArray[np.float64] = (vectors - self.mean) @ self.directions.T
        return found


@dataclass(frozen=True, slots=True)
class Marked:
    """A question and its hits, best first.

    Attributes:
        question: its text.
        vector: (D,) its embedding.
        titles: of the hits, what they are called in the legend.
        hits: (k, D) their vectors.
    """

    question: str
    vector: Vectors
    titles: Sequence[str]
    hits: Vectors


def draw_map(vectors: Vectors, total: int, marked: Marked | None = None) -> "Figure":
    """A point a passage; the question is a star, its hits carry their rank.

    Args:
        vectors: (n, D) of a sample of the passages: it alone decides the plane.
        total: passages that there are.
        marked: what else is shown.

    Raises:
        InputError: the vectors span no plane, or matplotlib is missing.
    """
    plane = Plane.of(vectors)
    figure = new_figure(7.2 if marked is None else 9.6, 5.4)
    axes = figure.add_subplot()
    points = plane.project(vectors)
    axes.scatter(
        points[:, 0], points[:, 1], s=POINT_AREA, color="0.6", alpha=0.6, linewidths=0, label="passage"
    )
    if marked is not None:
        _mark(axes, plane, marked)
    first, second = (
        f"principal component {number} ({100 * share:.1f} % of the variance)"
        for number, share in enumerate(plane.shares, start=1)
    )
    axes.set_xlabel(first)
    axes.set_ylabel(second)
    told = (
        f"{len(vectors):,} of {total:,} passages, drawn at random"
        if len(vectors) < total
        else f"all {total:,} passages"
    )
    axes.set_title(f"{told}; the plane holds {100 * sum(plane.shares):.1f} % of the variance", fontsize=10)
    axes.set_aspect("equal", adjustable="datalim")
    finish_axes(axes)
    if marked is not None:
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _mark(axes, plane: Plane, marked: Marked) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """The question, its hits and their ranks; a line in the legend for each."""
    colour, hit_colour = COLOURS[1], COLOURS[0]
    lines = textwrap.wrap(f"question: {marked.question}", TITLE_LETTERS, max_lines=3, placeholder=" …")
    ((x, y),) = plane.project(marked.vector[None])
    axes.plot(
        x, y, marker="*", markersize=16, color=colour, markeredgecolor="white", linestyle="none",
        label="\n".join(map(literal, lines)), zorder=3,
    )  # fmt: skip
    for rank, ((x, y), title) in enumerate(
        zip(plane.project(marked.hits), marked.titles, strict=True), start=1
    ):
        label = literal(f"{rank}  {textwrap.shorten(title, TITLE_LETTERS, placeholder=' …')}")
        axes.plot(
            x, y, marker="o", markersize=6, color=hit_colour, markeredgecolor="white", linestyle="none",
            label=label if rank <= MOST_TITLES else None, zorder=4,
        )  # fmt: skip
        axes.annotate(
            str(rank),
            (x, y),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=8,
            color=hit_colour,
            zorder=5,
        )
