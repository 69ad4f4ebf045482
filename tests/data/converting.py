"""What the tests of ``ctl data convert`` share: running it, and files of a few lines."""

import json

import pytest

from retriever.config.data import ConvertConfig
from retriever.data.convert import convert
from retriever.errors import InputError


def run(source, to, output, **more):
    name, report = convert(ConvertConfig(input=source, to=to, output=output, **more))
    return name, report


def message_of(*arguments, **more):
    with pytest.raises(InputError) as caught:
        run(*arguments, **more)
    return str(caught.value)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
    return path


def lines(*objects):
    return "".join(json.dumps(each) + "\n" for each in objects)


def objects_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def dpr_question(**more):
    return {
        "question": "who?",
        "answers": ["Ada"],
        "positive_ctxs": [{"title": "A", "text": "Ada did.", "passage_id": "1"}],
        "hard_negative_ctxs": [
            {"title": "", "text": "Bob.", "passage_id": "2", "score": 3.5, "rank": 2, "source": "bm25"},
            {"title": "", "text": "Cyd.", "passage_id": "3", "score": 1.0, "rank": 4, "source": "bm25"},
        ],
        "negative_ctxs": [],
        **more,
    }


def beir_folder(tmp_path, qrels="q1\td1\t2\nq1\td2\t0\n"):
    write(
        tmp_path / "beir/corpus.jsonl",
        lines(
            {"_id": "d1", "title": "One", "text": "first", "metadata": {"url": "x"}},
            {"_id": "d2", "title": "", "text": "second"},
            {"_id": "d3", "text": ""},
        ),
    )
    write(
        tmp_path / "beir/queries.jsonl",
        lines(
            {"_id": "q1", "text": "which?", "metadata": {"lang": "en"}}, {"_id": "q2", "text": "unjudged?"}
        ),
    )
    write(tmp_path / "beir/qrels/test.tsv", f"query-id\tcorpus-id\tscore\n{qrels}")
    return tmp_path / "beir"
