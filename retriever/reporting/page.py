"""Pieces of a page of HTML that needs no network and runs nothing: what comes from data is escaped, whatever it holds."""

import hashlib
import math
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.5rem 0 .5rem; border-top: 1px solid #8888; padding-top: 1rem; font-size: 1.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #8884; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.quiet { opacity: .7; }
"""
"""What all pages share."""

WIDE_STYLE = """
h3 { margin: 1.8rem 0 .4rem; font-size: 1.05rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; }
.wide { overflow-x: auto; margin: .8rem 0 1.6rem; }
.wide table { width: auto; min-width: 40%; }
caption { text-align: left; font-weight: 600; padding: .35rem .6rem; }
thead th { border-bottom: 2px solid #8888; vertical-align: bottom; overflow-wrap: break-word; max-width: 14rem; }
tbody th { font-weight: 400; }
th.number { text-align: right; }
td.long { overflow-wrap: anywhere; min-width: 12rem; max-width: 36rem; }
td.number .quiet { display: block; font-size: .85em; }
.best { color: #0a7d33; }
.warnings li, .differs th, .differs td { color: #a33a00; }
figure { margin: 1.2rem 0 2.2rem; overflow-x: auto; }
figure img { display: block; max-width: 100%; min-width: 30rem; height: auto; background: #fff; border-radius: 6px; padding: .6rem; box-sizing: border-box; }
figcaption { max-width: 44rem; margin-top: .4rem; }
summary { cursor: pointer; padding: .2rem 0; }
@media (prefers-color-scheme: dark) { .best { color: #5fd38a; } .warnings li, .differs th, .differs td { color: #ffb086; } }
@media print {
  :root { color-scheme: light; }
  body { max-width: none; margin: 0; font-size: 10pt; }
  nav { display: none; }
  .wide { overflow-x: visible; }
  figure img { min-width: 0; }
  figure, tr { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
}
"""
"""Of a page with wide tables and pictures."""

LONG = 30
"""Letters from which on a cell keeps some width for itself."""

MINUS, UNDEFINED = "−", "undefined"

Cell = object
"""Html stays as it is; all else is escaped, and numbers stand to the right."""


class Html(str):
    """Text that is HTML already, made here and not from data."""


def text(value: object) -> str:
    """Anything as text of the page; what UTF-8 cannot hold (the name of a folder can) is a question mark."""
    return escape(str(value).encode(errors="replace").decode())


def shown(value: Cell) -> str:
    """A value as HTML: shares with four decimals, percentages (metrics times 100) with two, nothing as a dash."""
    if isinstance(value, Html):
        return value
    if value is None:
        return "–"
    if isinstance(value, float):
        return (
            (f"{value:.2f}" if abs(value) > 1 else f"{value:.4f}").replace("-", MINUS)
            if math.isfinite(value)
            else UNDEFINED
        )
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return text(value)


def begin(title: str) -> Iterator[str]:
    """The head of the page. Its policy lets no browser load or run anything: one style, and pictures that are in the page itself."""
    style = STYLE + WIDE_STYLE
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">\n'
    yield f'<link rel="icon" href="data:,"><title>{text(title)}</title>\n<style>{style}</style></head>\n<body>\n'
    yield f"<h1>{text(title)}</h1>\n"


def table(
    caption: str, headings: Sequence[object], rows: Iterable[Sequence[Cell]], *, marked: Sequence[int] = ()
) -> Iterator[str]:
    """A table whose first column names its rows.

    Args:
        caption: plain text.
        headings: of the columns.
        rows: as many cells each.
        marked: the numbers of rows that stand out.
    """
    cells = [list(row) for row in rows]
    numeric = [
        bool(cells) and all(_is_number(row[place]) for row in cells if row[place] is not None)
        for place in range(len(headings))
    ]
    yield f'<div class="wide"><table><caption>{text(caption)}</caption>\n<thead><tr>'
    for name, right in zip(headings, numeric, strict=True):
        yield f'<th scope="col"{_class(right)}>{shown(name)}</th>'
    yield "</tr></thead>\n<tbody>\n"
    for number, (first, *rest) in enumerate(cells):
        yield f"<tr{_class(number in marked, 'differs')}><th scope='row'>{shown(first)}</th>"
        for cell, right in zip(rest, numeric[1:], strict=True):
            kind = "number" if right or _is_number(cell) else "text long" if _is_long(cell) else "text"
            yield f'<td class="{kind}">{shown(cell)}</td>'
        yield "</tr>\n"
    yield "</tbody></table></div>\n"


def _class(there: bool, name: str = "number") -> str:
    return f' class="{name}"' if there else ""


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float | Number) and not isinstance(cell, bool)


def _is_long(cell: Cell) -> bool:
    return isinstance(cell, str) and not isinstance(cell, Html) and len(cell) > LONG


class Number(Html):
    """HTML that stands to the right, as numbers do."""


def picture(svg: bytes, *, alt: str, title: str, caption: str) -> Iterator[str]:
    """A drawing within the page, what it shows for those who do not see it, and its caption."""
    yield f'<figure><img alt="{text(alt)}" src="data:image/svg+xml;base64,{b64encode(svg).decode()}">\n'
    yield f"<figcaption><strong>{text(title)}.</strong> {text(caption)}</figcaption></figure>\n"
