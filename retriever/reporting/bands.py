"""How a model's similarity follows people's scores: boxes of the similarity of pairs, by band of the gold score."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retriever.reporting.figure import finish_axes, line_style, literal, new_panels, places_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STS_SCALE, BANDS = 5.0, 5
ENDS = [5, 25, 50, 75, 95]
"""Per cent of a band's pairs that lie below the lower whisker, the box, its line, its top, and the upper whisker."""


@dataclass(frozen=True, slots=True)
class Band:
    """The pairs of one band.

    Attributes:
        low, high: gold scores from and below; of the last band its upper end counts, too.
        predicted: (n,) similarities.
    """

    low: float
    high: float
    predicted: NDArray[np.float64]

    @property
    def label(self) -> str:
        """Scores and number of pairs."""
        return f"{self.low:g}–{self.high:g}\nn = {len(self.predicted):,}"


def bands_of(predicted: NDArray[np.float64], gold: NDArray[np.float64]) -> list[Band]:
    """Pairs by gold score: 0–1, 1–2 … 4–5 on the scale of STS; five equal bands between the ends of any other."""
    low, high = float(gold.min()), float(gold.max())
    if low >= 0 and 1 < high <= STS_SCALE:
        low, high = 0.0, STS_SCALE
    edges = np.linspace(low, high, BANDS + 1) if high > low else np.array([low, high])
    places = np.clip(np.searchsorted(edges, gold, side="right") - 1, 0, len(edges) - 2)
    return [
        Band(float(edges[place]), float(edges[place + 1]), predicted[places == place])
        for place in range(len(edges) - 1)
    ]


def draw_bands(
    bands: Mapping[str, Sequence[Band]], similarity: str = "cosine", systems: Sequence[str] = ()
) -> "Figure":
    """A panel a system, a box a band: median, quartiles, and whiskers at 5 and 95 % of its pairs.

    Args:
        bands: system → its bands, the same ones of each.
        similarity: what was predicted, the label of the axis.
        systems: of all pictures of a page, which decide the colours.

    Raises:
        InputError: matplotlib is missing.
    """
    figure, panels, _ = new_panels(
        len(bands), width=3.4, least_width=5.0, height=3.2, margin=0.4, share_y=True
    )
    places = places_of(bands, systems)
    for axes, (name, own) in zip(panels, bands.items(), strict=True):
        _draw_boxes(axes, own, line_style(places[name])[0])
        axes.set_title(literal(name), fontsize=10)
        finish_axes(axes)
        axes.grid(visible=False, axis="x")
        axes.tick_params(labelsize=8)
    figure.supxlabel("gold score", fontsize=10)
    figure.supylabel(literal(similarity), fontsize=10)
    return figure


def _draw_boxes(axes, bands: Sequence[Band], colour: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    axes.set_xticks(range(len(bands)), [each.label for each in bands])
    axes.set_xlim(-0.6, len(bands) - 0.4)
    boxes = []
    for each in bands:
        ends = np.percentile(each.predicted, ENDS).tolist() if len(each.predicted) else [math.nan] * len(ENDS)
        boxes.append(dict(zip(("whislo", "q1", "med", "q3", "whishi"), ends, strict=True)))
    axes.bxp(
        boxes,
        positions=range(len(bands)),
        widths=0.6,
        showfliers=False,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": colour, "edgecolor": colour, "alpha": 0.35},
        whiskerprops={"color": colour},
        capprops={"color": colour},
        medianprops={"color": colour, "linewidth": 2.2},
    )
