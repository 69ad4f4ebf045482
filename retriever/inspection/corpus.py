"""The corpus as hashes of its ids and texts, and in full only the passages that training data name."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from retriever.data.corpus import locate_passages
from retriever.inspection.finding import Tally, excerpt, folded, hashes
from retriever.inspection.pairs import Numbers, joined, repeats, view
from retriever.inspection.texts import DistinctTexts
from retriever.records import DprExample, Passage

BLOCK = 1 << 20
"""Passages whose hashes wait to be made distinct."""


class Corpus:
    """What the doctor remembers of a corpus: 16 bytes a passage, 24 while it is read."""

    def __init__(self, path: Path, wanted: Collection[str], texts: DistinctTexts, tally: Tally) -> None:
        start = tally.places.file(path)
        self.named: dict[str, Passage] = {}
        self._ids, self._texts, places = hashes(), hashes(), hashes()
        for line, passage in locate_passages(path):
            self._ids.append(hash(passage.id))
            self._texts.append(hash(folded(passage.text or passage.title)))
            places.append(start + line)
            if passage.id in wanted:
                self.named.setdefault(passage.id, passage)
            texts.add(start + line, passage.text, passage.title)
            if not passage.text.strip():
                tally.add("corpus_text_empty", start + line, excerpt(f"[{passage.id}] {passage.title}"))
        for name in ("corpus_id_repeated", "corpus_text_repeated", "corpus_text_empty"):
            tally.totals[name] = len(places)
        same_id, first_ids = repeats(view(self._ids))
        _add_repeats(tally, "corpus_id_repeated", same_id, first_ids, view(places))
        rows, firsts = repeats(view(self._texts))
        other_id = ~np.isin(rows, same_id)
        _add_repeats(tally, "corpus_text_repeated", rows[other_id], firsts[other_id], view(places))

    def strangers(self, used: "UsedPassages") -> tuple[Numbers, Numbers]:
        """Rows of positives that are not in the corpus, and of those whose id has another text there."""
        ids, texts, rows = view(used.ids), view(used.texts), view(used.rows)
        own_ids, own_texts = view(self._ids), view(self._texts)
        has_id, has_text = np.isin(ids, own_ids), np.isin(texts, own_texts)
        differs = has_id & ~np.isin(joined(ids, texts), joined(own_ids, own_texts))
        return rows[~has_id & ~has_text], rows[differs]


class UsedPassages:
    """The passages of training data as hashes: positives to be looked up in a corpus, and which texts each id stands for.

    Args:
        keep_positives: they will be looked up.
    """

    def __init__(self, *, keep_positives: bool) -> None:
        self.ids, self.texts, self.rows = hashes(), hashes(), hashes()
        self._keep_positives = keep_positives
        self._settled = np.zeros((0, 3), np.int64)
        self._waiting = [hashes() for _ in range(3)]

    def see(self, row: int, example: DprExample) -> None:
        """The passages of one row."""
        for at, each in enumerate((*example.positives, *example.trained_negatives)):
            numbers = (hash(each.id), hash(folded(each.text or each.title)), row)
            for waiting, number in zip(self._waiting, numbers, strict=True):
                waiting.append(number)
            if self._keep_positives and at < len(example.positives):
                for kept, number in zip((self.ids, self.texts, self.rows), numbers, strict=True):
                    kept.append(number)
        if len(self._waiting[0]) >= BLOCK:
            self._settle()

    def conflicts(self) -> tuple[Numbers, int]:
        """The row of each further text that an id stands for, and how many different passages there are."""
        self._settle()
        again, _ = repeats(self._settled[:, 0])
        return np.sort(self._settled[again, 2]), len(self._settled)

    def _settle(self) -> None:
        """Of each id and text, keep the first."""
        found = np.concatenate([self._settled, np.stack([view(each) for each in self._waiting], axis=1)])
        _, first = np.unique(joined(found[:, 0].copy(), found[:, 1].copy()), return_index=True)
        self._settled = found[np.sort(first)]
        self._waiting = [hashes() for _ in range(3)]


def _add_repeats(tally: Tally, name: str, rows: Numbers, firsts: Numbers, places: Numbers) -> None:
    for place, first in zip(places[rows].tolist(), places[firsts].tolist(), strict=True):
        tally.add(name, place, f"first in {tally.places.show(first)}")
