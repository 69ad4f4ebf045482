import gzip
import io
import json
import tarfile

import msmarco
import pytest

from retriever.data.dpr import read_dpr_examples
from retriever.errors import InputError

PARTS = {part.name: part for part in msmarco.PARTS}
COLLECTION = "".join(f'{number}\tpassage "{number}\n' for number in range(30))
FILES = {
    "collection.tsv": COLLECTION,
    "queries.train.tsv": "7\twhat is seven\n8\twhat is eight\n9\tnobody judged this\n",
    "qrels.train.tsv": "7\t0\t1\t1\n7\t0\t2\t1\n8\t0\t3\t1\n99\t0\t4\t1\n",
    "queries.dev.small.tsv": '5\tfive "times\n6\tsix\n',
    "qrels.dev.small.tsv": "5\t0\t29\t1\n",
}


def make(tmp_path, name, files=FILES, triples=""):
    archive = tmp_path / "collectionandqueries.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for member_name, text in files.items():
            member = tarfile.TarInfo(member_name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    other = tmp_path / "qidpidtriples.train.full.2.tsv.gz"
    other.write_bytes(gzip.compress(triples.encode()))
    work = tmp_path / "work"
    work.mkdir()
    part = PARTS[name]
    target = work / part.output
    left_out = part.make([archive, other][: len(part.sources)], target)
    return target, dict(left_out)


def test_the_collection_is_as_it_was(tmp_path):
    target, left_out = make(tmp_path, "collection")
    assert target.read_text() == COLLECTION
    assert left_out == {}
    assert PARTS["collection"].count(target) == {"passages": 30}


def test_dev_questions_have_the_ids_of_their_positives(tmp_path):
    target, left_out = make(tmp_path, "dev")
    assert [json.loads(line) for line in target.read_text().splitlines()] == [
        {"id": "5", "question": 'five "times', "positive_passage_id": ["29"]}
    ]
    assert left_out == {"questions without a positive": 1}
    assert PARTS["dev"].count(target) == {"questions": 1}


def test_training_examples_have_positives_and_the_first_negatives_with_text(tmp_path):
    rows = [("7", "1", str(number)) for number in (20, 20, 2, *range(5, 20))] + [
        ("9", "1", "4"),
        ("8", "3", "1"),
    ]
    target, left_out = make(tmp_path, "train", triples="".join("\t".join(row) + "\n" for row in rows))
    seven, eight = read_dpr_examples(target)
    assert seven.query.text == "what is seven"
    assert [(each.id, each.text) for each in seven.positives] == [("1", 'passage "1'), ("2", 'passage "2')]
    assert [each.id for each in seven.hard_negatives] == ["20", *map(str, range(5, 14))]
    assert [each.id for each in eight.hard_negatives] == ["1"]
    assert left_out == {
        "questions without a positive": 1,
        "judged questions whose text is missing": 1,
        "triples of a question without judgement": 1,
        "triples whose negative is judged": 1,
    }
    assert PARTS["train"].count(target) == {"questions": 2, "positives": 3, "hard negatives": 11}


@pytest.mark.parametrize(
    ("files", "triples", "message"),
    [
        ({}, "7\t1\t30\n", "tsv.gz:1: passage '30' is not in the collection"),
        ({}, "7\t1\n", "tsv.gz:1: expected 3 columns, found 2"),
        (
            {"qrels.train.tsv": "7\t0\tD1\t1\n"},
            "8\t1\t3\n",
            "qrels.train.tsv: passage 'D1' is not in the collection",
        ),
        ({"collection.tsv": "0\ta\n2\tb\n"}, "7\t1\t3\n", "collection.tsv:2: expected the id 1, found '2'"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path, files, triples, message):
    with pytest.raises(InputError) as refused:
        make(tmp_path, "train", FILES | files, triples)
    assert message in str(refused.value)
    assert not (tmp_path / "work/train.jsonl").exists()
