"""What all pictures share: colours, the look of axes, and how a figure becomes bytes; equal figures, equal bytes."""

import io
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from retriever.data.files import atomic_file, require_writable
from retriever.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

Dash = Literal["-", "--", ":", "-."]

# Okabe and Ito's colours, told apart with any colour vision, without the yellow that white paper swallows. They
# come again with another dash or marker, so that 28 lines differ.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
DASHES: tuple[Dash, ...] = ("-", "--", ":", "-.")
MARKERS = "osD^"

MISSING = re.compile(r"Glyph (\d+) ")

NO_MATPLOTLIB = "pictures need matplotlib: pip install 'contrastive-text-learning[plots]'"
DOTS_PER_INCH = 150
COLUMNS = 3


def line_style(place: int) -> tuple[str, Dash, str]:
    """Colour, dash and marker of the line of a place: those of 28 places differ."""
    turn = place // len(COLOURS) % len(DASHES)
    return COLOURS[place % len(COLOURS)], DASHES[turn], MARKERS[turn]


def places_of(names: Iterable[str], systems: Sequence[str]) -> dict[str, int]:
    """The place of each name among all systems of a page, so that one has one colour in all pictures; the others come after these."""
    order = list(dict.fromkeys([*systems, *names]))
    return {name: place for place, name in enumerate(order)}


def new_figure(width: float, height: float) -> "Figure":
    """A figure of so many inches, which needs no display and is kept by nobody.

    Raises:
        InputError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure  # not pyplot, which wants a display and keeps figures
    except ImportError:
        raise InputError(NO_MATPLOTLIB) from None
    return Figure(figsize=(width, height), layout="constrained")


def new_panels(
    count: int, *, width: float, least_width: float, height: float, margin: float, share_y: bool = False
) -> "tuple[Figure, list[Axes], int]":
    """A figure of equal panels, three in a row.

    Args:
        count: of the panels.
        width: of each, in inches.
        least_width: of the figure.
        height: of each row.
        margin: height of what stands beside the rows.
        share_y: one vertical axis for all.

    Returns:
        The figure, its panels, and how many are in a row.

    Raises:
        InputError: matplotlib is missing.
    """
    columns = min(COLUMNS, count)
    rows = math.ceil(count / columns)
    figure = new_figure(max(least_width, width * columns), margin + height * rows)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=share_y).ravel().tolist()
    for surplus in panels[count:]:
        surplus.set_visible(False)
    return figure, panels[:count], columns


def finish_axes(axes: "Axes") -> None:
    """A quiet grid behind the data, and no frame."""
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def literal(text: str) -> str:
    """A name as matplotlib shows it: no dollar begins a formula in it, and what cannot be drawn or encoded is a question mark."""
    shown = "".join(each if each.isprintable() else "?" for each in text)
    return shown.encode(errors="replace").decode().replace("$", r"\$")


@contextmanager
def missing_letters_told() -> Iterator[None]:
    """One warning for all letters that matplotlib's font does not have, in place of one of Python's for each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    missing = {chr(int(found[1])) for each in caught if (found := MISSING.match(str(each.message)))}
    if missing:
        logger.warning(
            "the picture shows boxes for letters that its font does not have: %s", "".join(sorted(missing))
        )


def write_png(figure: "Figure", output: Path) -> None:
    """Write a picture, whole or not at all.

    Raises:
        InputError: it cannot be written there.
    """
    with missing_letters_told(), atomic_file(output, "wb") as file:
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})


def svg_bytes(draw: "Callable[[], Figure]") -> bytes:
    """What a function draws, as a drawing that is sharp at any size; letters are outlines, so that no font is needed."""
    import matplotlib

    with missing_letters_told(), matplotlib.rc_context({"svg.hashsalt": "ctl", "svg.fonttype": "path"}):
        file = io.BytesIO()
        draw().savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def require_picture(output: Path) -> None:
    """Check, before long work, that a picture can be drawn there.

    Raises:
        InputError: it cannot.
    """
    if output.suffix.lower() != ".png":
        raise InputError("the picture is a PNG: its name must end in .png", path=output)
    require_writable(output)
    if not has_matplotlib():
        raise InputError(NO_MATPLOTLIB)


def has_matplotlib() -> bool:
    """Whether pictures can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True
