"""The plane of alignment and uniformity: where models put texts, as in figures 2 and 3 of the SimCSE paper (Gao et al. 2021)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from retriever.reporting.figure import finish_axes, line_style, literal, new_figure, places_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_plane(points: Mapping[str, tuple[float, float]], systems: Sequence[str] = ()) -> "Figure":
    """A point a model, its name beside it; down and to the left is better.

    Args:
        points: name → (uniformity, alignment); both lower the better (Wang and Isola 2020).
        systems: of all pictures of a page, which decide the colours.

    Raises:
        InputError: matplotlib is missing.
    """
    figure = new_figure(6.4, 4.4)
    axes = figure.add_subplot()
    places = places_of(points, systems)
    for name, (uniformity, alignment) in points.items():
        colour, _, marker = line_style(places[name])
        axes.plot([uniformity], [alignment], color=colour, marker=marker, markersize=9, linestyle="none")
        axes.annotate(
            literal(name), (uniformity, alignment), xytext=(8, 6), textcoords="offset points", fontsize=9
        )
    axes.margins(0.25)
    axes.set_xlabel("uniformity (← lower is better)")
    axes.set_ylabel("alignment (← lower is better)")
    finish_axes(axes)
    return figure
