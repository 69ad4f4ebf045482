import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retriever.choices import DataFormat
from retriever.data.formats.detect import detect
from retriever.data.formats.model import Report, Source
from retriever.data.formats.table import FORMATS
from retriever.errors import InputError
from tests.data.converting import lines, message_of, run, write

FILES = {
    "dpr": "data.jsonl",
    "qa-csv": "data.qa.csv",
    "tevatron": "data.jsonl",
    "flagembedding": "data.jsonl",
    "triplets": "data.jsonl",
    "squad": "data.json",
}
TEXT = st.text(st.sampled_from("ab é\n\t\r\"',[漢"), max_size=8)
SOME_TEXT = TEXT.map(lambda text: f"a{text}")
NOTES = st.fixed_dictionaries(
    {},
    optional={
        "score": st.floats(allow_nan=False, allow_infinity=False),
        "rank": st.integers(1, 9),
        "source": st.just("bm25"),
    },
)


@pytest.fixture(autouse=True, scope="module")
def impatient():
    """What is written need not reach the disk: a hundred conversions would wait for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@st.composite
def datasets(draw):
    """DPR's format, which holds everything: questions that share passages of a corpus."""
    corpus = [
        {
            "title": draw(TEXT.filter(lambda text: text == text.strip())),
            "text": f"p{at} {draw(TEXT)}",
            **({"passage_id": f"id{at}"} if draw(st.booleans()) else {}),
        }
        for at in range(8)
    ]
    questions = []
    for number in range(draw(st.integers(1, 4))):
        order = draw(st.permutations(corpus))
        cuts = sorted(draw(st.lists(st.integers(1, 8), min_size=3, max_size=3)))
        lists = (order[: cuts[0]], order[cuts[0] : cuts[1]], order[cuts[1] : cuts[2]])
        positives, hard, others = ([{**each, **draw(NOTES)} for each in part] for part in lists)
        questions.append(
            {
                **({"id": f"q{number}"} if draw(st.booleans()) else {}),
                "question": f"{number} {draw(TEXT)}",
                "answers": [*draw(st.lists(SOME_TEXT, max_size=2, unique=True)), positives[0]["text"][:2]],
                "positive_ctxs": positives,
                "hard_negative_ctxs": hard,
                "negative_ctxs": others,
                **draw(
                    st.fixed_dictionaries({}, optional={"prompt": st.just("ask"), "dataset": st.just("nq")})
                ),
            }
        )
    return questions


def seen(path, name):
    """What a file or folder says, read as it is: questions and passages with their texts, and what stands beside them."""
    data = FORMATS[name].read(Source(path, Report()))
    corpus = {} if data.corpus is None else {each.id: each for _, each in data.corpus}
    whole = []
    for example in data.examples:
        lists = {}
        for role in ("positives", "hard_negatives", "other_negatives"):
            contexts = [
                each
                if each.text is not None
                else replace(each, text=corpus[each.id].text, title=corpus[each.id].title)
                for each in getattr(example, role)
            ]
            lists[role] = [
                {
                    "id": each.id if each.named else None,
                    "title": each.title,
                    "text": each.text,
                    "notes": dict(each.notes),
                }
                for each in contexts
            ]
        query_id = example.query.id if example.named else None
        fields = dict(example.fields)
        whole.append(
            {
                "id": query_id,
                "question": example.query.text,
                "answers": list(example.answers),
                **lists,
                "fields": fields,
            }
        )
    return whole


HOLDS = {  # by hand, from the formats' own documentation
    "dpr": "id answers positives hard other passage_id title score rank source grade prompt dataset",
    "qa-csv": "answers",
    "beir": "id answers positives graded passage_id title grade",
    "msmarco": "id positives hard passage_id grade",
    "tevatron": "id answers positives hard passage_id title",
    "tevatron-ids": "id answers positives hard passage_id title",
    "flagembedding": "positives hard score prompt",
    "triplets": "positives hard",
    "ctl": "id answers positives passage_id title prompt dataset",
}


def flat(text):
    return text.replace("\t", " ").replace("\n", " ").replace("\r", " ")


def numbers(contexts):
    return all("score" in each["notes"] for each in contexts)


LISTS = {
    "positives": "positive passages",
    "hard_negatives": "hard negatives",
    "other_negatives": "other negatives",
}
WORDS = {"positives": "positives", "hard_negatives": "hard", "other_negatives": "other"}


def expected(question, target):
    """What is left of a question in a format, and how much of what is dropped; None: it has no place there."""
    if target not in ("qa-csv", "ctl") and not question["positives"]:
        return None, Counter(["questions without a positive passage"])
    holds, dropped = HOLDS[target].split(), Counter()
    left = {"question": flat(question["question"]) if target == "msmarco" else question["question"]}
    left["answers"] = question["answers"] if "answers" in holds else []
    dropped["answers"] += len(question["answers"]) - len(left["answers"])
    left["fields"] = {name: value for name, value in question["fields"].items() if name in holds}
    dropped.update(f"'{name}' of questions" for name in question["fields"].keys() - left["fields"].keys())
    dropped["ids of questions"] += question["id"] is not None and "id" not in holds
    for role in LISTS:
        left[role] = list(reduced(question, role, target, dropped))
    if target == "triplets" and not question["hard_negatives"]:
        dropped["questions without a hard negative (--num-hard-negatives 0 writes pairs)"] += 1
        return None, dropped
    return left, dropped


def reduced(question, role, target, dropped):
    holds, chosen, label = HOLDS[target].split(), question[role], LISTS[role]
    if role == "hard_negatives" and "graded" in holds:
        chosen = [each for each in chosen if "grade" in each["notes"]]
        label = "hard negatives that nobody judged"
        for each in question[role]:  # their details went before they did
            if each not in chosen:
                details(each, holds, dropped)
    elif WORDS[role] not in holds:
        chosen = []
    dropped[label] += len(question[role]) - len(chosen)
    whole = numbers(chosen)
    for each in chosen:
        kept = details(each, holds, dropped)
        if target == "flagembedding" and "score" in kept["notes"] and not whole:
            dropped["scores of lists in which not every passage has a number"] += 1
            kept["notes"] = {}
        if target == "msmarco":
            kept["text"] = flat(kept["text"])
        yield kept


def details(context, holds, dropped):
    notes = {name: value for name, value in context["notes"].items() if name in holds}
    for name in context["notes"].keys() - notes.keys():
        dropped[f"'{name}' of passages"] += 1
    dropped["ids of passages"] += context["id"] is not None and "passage_id" not in holds
    keeps_title = "title" in holds
    return {"title": context["title"] if keeps_title else "", "text": context["text"], "notes": notes}


def without_ids(question):
    """The question for comparing: judgements and triples have no order of passages."""
    result = {name: value for name, value in question.items() if name != "id"}
    for role in ("positives", "hard_negatives", "other_negatives"):
        passages = [{name: value for name, value in each.items() if name != "id"} for each in question[role]]
        result[role] = sorted(passages, key=json.dumps)
    return result


@pytest.mark.parametrize("source", get_args(DataFormat))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(dataset=datasets())
def test_what_both_formats_hold_survives_and_the_rest_is_counted(source, dataset):
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "rich.jsonl", lines(*dataset))
        first = folder / "first" / FILES.get(source, "")
        (folder / "first").mkdir()
        try:
            run(folder / "rich.jsonl", source, first)
        except InputError as error:
            assert source == "triplets" and "nothing is left" in error.message
            return
        assert detect(first, None) == source
        questions = seen(first, source)
        for target in HOLDS:
            check_pair(first, source, target, questions, folder)


def check_pair(first, source, target, questions, folder):
    parts = [expected(each, target) for each in questions]
    left = [each for each, _ in parts if each is not None]
    second = folder / target / FILES.get(target, "")
    (folder / target).mkdir()
    if not left:
        assert "nothing is left to be written" in message_of(first, target, second)
        return
    _, report = run(first, target, second)
    result = seen(second, target)
    assert [without_ids(each) for each in result] == list(map(without_ids, left))
    dropped = sum((each for _, each in parts), Counter())
    others = {"titles (--join-titles puts them before the texts)", "passages that no question names"}
    others.add("passages that stand in the corpus again, with the same text")  # paragraphs of SQuAD's
    assert {
        name: count
        for name, count in report.dropped.items()
        if name not in others and "places" not in name and "several" not in name
    } == {name: count for name, count in dropped.items() if count}
    assert report.written["questions"] == len(left) == len(result)
    kept = [each for each, (one, _) in zip(questions, parts, strict=True) if one is not None]
    for before, after in zip(kept, result, strict=True):
        if before["id"] is not None and "id" in HOLDS[target].split():
            assert after["id"] == before["id"]
        if "passage_id" in HOLDS[target].split():
            known = {each["id"] for each in after["positives"]}
            assert {each["id"] for each in before["positives"]} - {None} <= known or "positives" not in HOLDS[
                target
            ]


def test_every_format_has_its_name_and_an_entry_in_the_tests():
    assert set(FORMATS) == set(get_args(DataFormat)) == {*HOLDS, "squad"}
    assert all(each.name == name for name, each in FORMATS.items())
