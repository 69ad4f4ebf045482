"""Every kind of fault that is counted case by case: how grave it is, what it means, and what to do."""

from collections.abc import Iterator
from typing import NamedTuple

from retriever.choices import Severity
from retriever.inspection.finding import Finding, Tally


class Kind(NamedTuple):
    """A fault; ``of`` is what is counted."""

    severity: Severity
    of: str
    message: str
    remedy: str


KINDS: dict[str, Kind] = {
    "refused": Kind(
        "error", "rows", "cannot be trained on", "Mend or remove them: training stops at the first."
    ),
    "positive_not_in_corpus": Kind(
        "error",
        "positives",
        "are not in the corpus, so that no index of it can find them",
        "Add them to --passages, or drop their questions.",
    ),
    "passage_differs_from_corpus": Kind(
        "warning",
        "positives",
        "have the id of a passage of the corpus and another text",
        "Make the training data anew from this corpus: ids belong to one version of it.",
    ),
    "id_with_other_text": Kind(
        "warning",
        "passages",
        "have an id that another text has, too",
        "Give each text an id of its own: ids decide what counts as found.",
    ),
    "positive_is_hard_negative": Kind(
        "error",
        "hard negatives",
        "are a positive of the same question",
        "Drop them from the hard negatives: they teach the opposite of the positives.",
    ),
    "positive_is_other_negative": Kind(
        "warning",
        "other negatives",
        "are a positive of the same question",
        "Drop them from negative_ctxs: trained with (--num-other-negatives), they teach the opposite of the positives.",
    ),
    "hard_negative_has_answer": Kind(
        "warning",
        "hard negatives",
        "contain an answer of their question, so that they may well answer it",
        "Mine hard negatives with ctl mine, which leaves such passages out.",
    ),
    "positive_lacks_answer": Kind(
        "warning",
        "questions with answers",
        "have no positive that contains an answer, by DPR's matcher",
        "Look at some: the passage was cut beside the answer, or is the wrong one.",
    ),
    "same_row": Kind(
        "warning",
        "rows",
        "repeat an earlier row, the same text with the same positive",
        "Remove the copies: each is trained on once more than the others.",
    ),
    "other_positive": Kind(
        "note",
        "rows",
        "have the question of an earlier row and another positive",
        "If all of them answer it, one row with all positives says so; else the question is ambiguous, and better dropped.",
    ),
    "no_words": Kind(
        "warning",
        "rows",
        "have digits alone for a text: a label or an id in the wrong place?",
        "Check which column or key holds the text.",
    ),
    "quotes_of_csv": Kind(
        "warning",
        "rows",
        "have a text in the quotes of csv files, which are letters in a .tsv",
        "Write the file without such quotes, or with commas and the name .csv.",
    ),
    "title_longer_than_text": Kind(
        "warning",
        "rows",
        "have a positive whose title is a paragraph, longer than its text",
        "Check whether title and text are swapped.",
    ),
    "others_for_hard": Kind(
        "warning",
        "rows",
        "have no hard negatives, so that their other (random) ones take the place, as in DPR",
        "Mine hard negatives with ctl mine; or is a key misspelt?",
    ),
    "empty_positive": Kind(
        "error", "positives", "have no text", "Drop them: there is nothing in them to find."
    ),
    "empty_hard_negative": Kind(
        "warning", "hard negatives", "have no text", "Drop them: there is nothing to learn from them."
    ),
    "positive_is_anchor": Kind(
        "warning",
        "pairs",
        "have a positive equal to the anchor but for case",
        "Drop them, or train without positives: only dropout tells the two apart.",
    ),
    "hard_negative_is_anchor": Kind(
        "error",
        "hard negatives",
        "are equal to their anchor",
        "Drop them: they push a sentence away from itself.",
    ),
    "test_question_in_train": Kind(
        "error",
        "held-out questions",
        "are trained on, word for word",
        "Remove them from the training data: what is measured on them is memory.",
    ),
    "test_sentence_in_train": Kind(
        "warning",
        "held-out sentences",
        "are trained on, word for word",
        "Remove them from the training data, or say so beside the result.",
    ),
    "near_test_question_in_train": Kind(
        "warning",
        "held-out questions",
        "have a near-duplicate in the training data",
        "Remove those from the training data if they ask the same.",
    ),
    "near_test_sentence_in_train": Kind(
        "note",
        "held-out sentences",
        "have a near-duplicate in the training data",
        "Remove those from the training data if they say the same.",
    ),
    "corpus_id_repeated": Kind(
        "error",
        "corpus passages",
        "have an id that an earlier passage has: no index is built of them",
        "Give each passage an id of its own.",
    ),
    "corpus_text_repeated": Kind(
        "note",
        "corpus passages",
        "have the text of an earlier passage under another id",
        "Remove the copies: they take places in every ranking, and a copy of the gold passage counts as wrong.",
    ),
    "corpus_text_empty": Kind(
        "note", "corpus passages", "have no text", "Remove them: a search can still return them."
    ),
    "replacement_character": Kind(
        "warning",
        "texts",
        "hold U+FFFD, which stands where a character was lost",
        "Convert the source again with its true encoding.",
    ),
    "mojibake": Kind(
        "warning",
        "texts",
        "hold UTF-8 that was read as Latin-1 or Windows-1252, such as 'Ã©' for 'é'",
        "Convert the source again as UTF-8, or repair it with the library ftfy.",
    ),
    "control_character": Kind(
        "warning", "texts", "hold control characters", "Strip them: tokenizers drop some and keep others."
    ),
    "escape_left": Kind(
        "warning",
        "texts",
        "hold an escape such as \\u00e9 as letters",
        "Decode the source once more: it was written as JSON twice.",
    ),
    "html_entity": Kind(
        "note", "texts", "hold HTML entities such as &amp;", "Run html.unescape over texts that are not code."
    ),
    "invisible_character": Kind(
        "note",
        "texts",
        "hold a zero-width space, a byte order mark or a soft hyphen",
        "Remove them: they split words into other tokens.",
    ),
    "absurdly_long": Kind(
        "warning",
        "texts",
        "are about ten times as long as what the model reads of them, or longer",
        "Split them: all but the beginning is thrown away.",
    ),
}


def findings_of(tally: Tally) -> Iterator[Finding]:
    """What was counted, by kind."""
    for name, kind in KINDS.items():
        if tally.counts[name]:
            yield Finding(
                name=name,
                severity=kind.severity,
                message=kind.message,
                count=tally.counts[name],
                total=tally.totals.get(name, tally.totals[kind.of]),
                of=kind.of,
                remedy=kind.remedy,
                examples=tuple(tally.examples[name]),
            )
