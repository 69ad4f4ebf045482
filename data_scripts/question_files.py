"""Question pairs → the files of a retrieval data set: split by package, cut to size, as lines."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from question_pairs import QuestionPair, is_prose, normalise, split_sentences

Split = Literal["train", "dev", "test"]

# By hand, because a hash would let one big package decide the sizes. Test: everyday libraries, two of them
# large, none of the family of a large training package. Dev: the same, half the size. The rest goes by a
# hash.
FIXED_SPLITS: Mapping[str, Split] = {
    **dict.fromkeys(("pandas", "networkx", "PIL", "jinja2", "rich"), "test"),
    **dict.fromkeys(("sklearn", "datasets", "hypothesis", "fsspec"), "dev"),
    **dict.fromkeys(
        ("sympy", "mpmath", "torch", "scipy", "numpy", "transformers", "matplotlib", "huggingface_hub"),
        "train",
    ),
    **dict.fromkeys(("sentence_transformers", "accelerate", "faiss", "tokenizers", "safetensors"), "train"),
}
MIN_SENTENCE_WORDS, MAX_SENTENCE_WORDS = 5, 60
# ``x : int``, ``x (int, optional): ``, ``:param x:``, a prompt, a directive, a section title in front
NOT_PLAIN = re.compile(
    r" : |\w \([^)]*\):|:\w+ \w+:|>>>|\.\. \w+::"
    r"|^(Args|Parameters|Returns?|Raises|Examples?|Notes|See [Aa]lso|Explanation)\b"
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much of the whole is written; None: all of it. The defaults suit a demo on two CPU cores."""

    passages: int | None = 5_000  # of test_passages.jsonl: a 6-layer MiniLM encodes them in five minutes
    train_questions: int | None = 4_000
    dev_questions: int | None = 500
    test_questions: int | None = 1_500  # 95 % interval of an accuracy: ± 2.5 points
    sentences: int | None = 10_000


def split_of(package: str) -> Split:
    """The split of a top-level package: the fixed one, else by a hash: 2 in 10 test, 1 in 10 dev."""
    if package in FIXED_SPLITS:
        return FIXED_SPLITS[package]
    bucket = int(sha256(package.encode()).hexdigest(), 16) % 10
    return "test" if bucket < 2 else "dev" if bucket == 2 else "train"


def package_of(pair: QuestionPair) -> str:
    """The top-level package of a pair."""
    return pair.name.partition(".")[0]


def choose(pairs: Iterable[QuestionPair], limit: int | None) -> list[QuestionPair]:
    """At most ``limit`` pairs by a hash of their names: none is favoured, and a larger limit only adds."""
    return sorted(pairs, key=lambda pair: sha256(pair.name.encode()).digest())[:limit]


def make_files(pairs: Sequence[QuestionPair], limits: Limits) -> dict[str, list[str]]:
    """File name → lines of the data set.

    Args:
        pairs: all of them, sorted by name.
        limits: how many to take; every test question's passage is in the test passages, whatever the limits.
    """
    parts: dict[Split, list[QuestionPair]] = {"train": [], "dev": [], "test": []}
    for pair in pairs:
        parts[split_of(package_of(pair))].append(pair)
    train = choose(parts["train"], limits.train_questions)
    dev = choose(parts["dev"], limits.dev_questions)
    test = choose(parts["test"], limits.test_questions)
    distractors = choose(parts["test"], None)[len(test) :] + choose(parts["train"] + parts["dev"], None)
    index = (test + distractors)[: None if limits.passages is None else max(limits.passages, len(test))]
    return {
        "passages.jsonl": passage_lines(pairs),
        "train_passages.jsonl": passage_lines(train),
        "dev_passages.jsonl": passage_lines(parts["dev"]),
        "train_dev_passages.jsonl": passage_lines(train + parts["dev"]),
        "test_passages.jsonl": passage_lines(index),
        "train_questions.jsonl": question_lines(train),
        "dev_questions.jsonl": question_lines(dev),
        "test_questions.jsonl": question_lines(test),
        "train_sentences.txt": list_sentences(choose(parts["train"], None), limits.sentences),
    }


def passage_lines(pairs: Iterable[QuestionPair]) -> list[str]:
    """The passages of pairs as JSON lines, sorted by id."""
    records = ({"id": pair.name, "title": pair.name, "text": pair.text} for pair in sort_by_name(pairs))
    return [json.dumps(record, ensure_ascii=False) for record in records]


def question_lines(pairs: Iterable[QuestionPair]) -> list[str]:
    """The questions of pairs as JSON lines, sorted by id.

    An id of their own: some evaluators leave out a passage that has the id of the question.
    """
    records = (
        {"id": f"question:{pair.name}", "question": pair.question, "positive_passage_id": pair.name}
        for pair in sort_by_name(pairs)
    )
    return [json.dumps(record, ensure_ascii=False) for record in records]


def sort_by_name(pairs: Iterable[QuestionPair]) -> list[QuestionPair]:
    """Pairs in the order of their dotted names."""
    return sorted(pairs, key=lambda pair: pair.name)


def list_sentences(pairs: Iterable[QuestionPair], limit: int | None) -> list[str]:
    """Distinct sentences of plain prose, of questions and passages, in the order of the pairs."""
    found: dict[str, str] = {}
    for pair in pairs:
        for sentence in (pair.question, *split_sentences(pair.text)):
            if MIN_SENTENCE_WORDS <= len(sentence.split()) <= MAX_SENTENCE_WORDS and is_plain(sentence):
                found.setdefault(normalise(sentence), sentence)
    return list(found.values())[:limit]


def is_plain(sentence: str) -> bool:
    """Whether a sentence is prose, with no example in code and no list of parameters run into it."""
    return is_prose(sentence) and not NOT_PLAIN.search(sentence)
