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
        overlap = draw(st.integers(0, 1))
        lists = (order[: cuts[0]], order[cuts[0] - overlap : cuts[1]], order[cuts[1] - overlap : cuts[2]])
        positives, hard, others = ([{**each, **draw(NOTES)} for each in part] for part in lists)
        questions.append(
            {
                **({"id": f"q{number}"} if draw(st.booleans()) else {}),
                "question": draw(st.sampled_from(("who is it?", f"{number} {draw(TEXT)}"))),
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


def said(dataset):
    """The questions of ``datasets`` as ``seen`` would show them."""
    keys = ("id", "question", "answers", "positive_ctxs", "hard_negative_ctxs", "negative_ctxs")
    return [
        {
            "id": each.get("id"),
            "question": each["question"],
            "answers": each["answers"],
            **{role: list(map(said_of, each[key])) for role, key in zip(LISTS, keys[3:], strict=True)},
            "fields": {name: value for name, value in each.items() if name not in keys},
        }
        for each in dataset
    ]


def said_of(passage):
    notes = {name: value for name, value in passage.items() if name not in ("title", "text", "passage_id")}
    return {
        "id": passage.get("passage_id"),
        "title": passage["title"],
        "text": passage["text"],
        "notes": notes,
    }


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
    "flagembedding": "positives hard score source prompt",
    "triplets": "positives hard",
    "ctl": "id answers positives passage_id title prompt dataset",
}


def flat(text):
    return text.replace("\t", " ").replace("\n", " ").replace("\r", " ")


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
    question = without_contradictions(question, dropped)
    left = {"question": flat(question["question"]) if target == "msmarco" else question["question"]}
    left["answers"] = question["answers"] if "answers" in holds else []
    dropped["answers"] += len(question["answers"]) - len(left["answers"])
    left["fields"] = {name: value for name, value in question["fields"].items() if name in holds}
    dropped.update(f"'{name}' of questions" for name in question["fields"].keys() - left["fields"].keys())
    dropped["ids of questions"] += question["id"] is not None and "id" not in holds
    for role in LISTS:
        left[role] = list(reduced(question, role, target, dropped))
    if target == "flagembedding":
        keep_teachers(left, dropped)
    if target == "triplets" and not question["hard_negatives"]:
        dropped["questions without a hard negative (--num-hard-negatives 0 writes pairs)"] += 1
        return None, dropped
    return left, dropped


def without_contradictions(question, dropped):
    positives = [each["text"] for each in question["positives"]]
    result = dict(question)
    for role in ("hard_negatives", "other_negatives"):
        result[role] = [each for each in question[role] if each["text"] not in positives]
        dropped[f"{LISTS[role]} that are positives of the same question"] += len(question[role]) - len(
            result[role]
        )
    return result


def keep_teachers(left, dropped):
    contexts = [*left["positives"], *left["hard_negatives"]]
    for each in contexts:
        if each["notes"].pop("source", None):
            dropped["'source' of passages"] += 1
            dropped["scores of a search, which are no teacher's"] += "score" in each["notes"]
            each["notes"] = {}
    scored = sum("score" in each["notes"] for each in contexts)
    if scored < len(contexts):
        dropped["scores of questions in which not every passage has a number"] += scored
        for each in contexts:
            each["notes"] = {}


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
    for each in chosen:
        kept = details(each, holds, dropped)
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


def grouped(questions):
    """The questions of a table of rows: one for each anchor."""
    groups = {}
    for each in questions:
        group = groups.setdefault(each["question"], {**each, "positives": [], "hard_negatives": []})
        for role in ("positives", "hard_negatives"):
            group[role] += [one for one in each[role] if one not in group[role]]
    return list(groups.values())


def without_ids(question):
    """The question for comparing: judgements and triples have no order of passages."""
    result = {name: value for name, value in question.items() if name != "id"}
    for role in ("positives", "hard_negatives", "other_negatives"):
        passages = [{name: value for name, value in each.items() if name != "id"} for each in question[role]]
        result[role] = sorted(passages, key=json.dumps)
    return result


@pytest.mark.parametrize("source", get_args(DataFormat))
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(dataset=datasets())
def test_what_both_formats_hold_survives_and_the_rest_is_counted(source, dataset):
    with TemporaryDirectory() as name:
        folder = Path(name)
        rich = write(folder / "rich.jsonl", lines(*dataset))
        if source in HOLDS:
            questions = check_pair(rich, "dpr", source, said(dataset), folder / "first")
        else:
            questions = squad_questions(rich, folder / "first")
        if not questions:
            return
        first = folder / "first" / FILES.get(source, "")
        assert detect(first, None) == source
        for target in HOLDS:
            check_pair(first, source, target, questions, folder / target)


def squad_questions(rich, folder):
    folder.mkdir()
    run(rich, "squad", folder / FILES["squad"])
    return seen(folder / FILES["squad"], "squad")


def check_pair(first, source, target, questions, folder):
    """Convert, compare with what is expected of the questions, and give what is left."""
    parts = [expected(each, target) for each in questions]
    left = [each for each, _ in parts if each is not None]
    second = folder / FILES.get(target, "")
    folder.mkdir()
    if not left:
        assert "nothing is left to be written" in message_of(first, target, second)
        return []
    _, report = run(first, target, second)
    result = seen(second, target)
    assert report.written["questions"] == len(left)
    left = grouped(left) if target == "triplets" else left
    assert list(map(without_ids, result)) == list(map(without_ids, left))
    dropped = sum((each for _, each in parts), Counter())
    others = {"titles (--join-titles puts them before the texts)", "passages that no question names"}
    others.add("passages that stand in the corpus again, with the same text")  # paragraphs of SQuAD's
    others.add("rows that stand there again")
    assert {
        name: count
        for name, count in report.dropped.items()
        if name not in others and "places" not in name and "several" not in name
    } == {name: count for name, count in dropped.items() if count}
    if target != "triplets":
        check_ids([each for each, (one, _) in zip(questions, parts, strict=True) if one], result, target)
    return [{**each, "id": after["id"]} for each, after in zip(with_ids(left, result), result, strict=True)]


def with_ids(left, result):
    """What is expected, with the ids of passages that were made on the way."""
    for each, after in zip(left, result, strict=True):
        lists = {}
        for role in LISTS:
            ids = {one["text"]: one["id"] for one in after[role]}
            lists[role] = [{**one, "id": ids[one["text"]]} for one in each[role]]
        yield {**each, **lists}


def check_ids(before, after, target):
    holds = HOLDS[target].split()
    for old, new in zip(before, after, strict=True):
        if "id" in holds and old["id"] is not None:
            assert new["id"] == old["id"]
        if "passage_id" in holds and "positives" in holds:
            assert {each["id"] for each in old["positives"]} - {None} <= {
                each["id"] for each in new["positives"]
            }


def test_every_format_has_its_name_and_an_entry_in_the_tests():
    assert set(FORMATS) == set(get_args(DataFormat)) == {*HOLDS, "squad"}
    assert all(each.name == name for name, each in FORMATS.items())
