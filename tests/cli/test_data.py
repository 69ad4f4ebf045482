"""``ctl data`` from flags to result."""

import json

from cli.main import main

ROWS = [
    {
        "query": "who wrote it?",
        "pos": ["Ada wrote it."],
        "neg": ["Bob read it."],
        "neg_scores": [1.5],
        "prompt": "find",
    },
    {"query": "when?", "pos": ["In May."], "neg": ["In June."]},
]


def test_convert_says_what_it_did_to_people_and_to_programs(tmp_path, capsys):
    source, output = tmp_path / "train.jsonl", tmp_path / "beir"
    source.write_text("".join(json.dumps(each) + "\n" for each in ROWS))
    arguments = ["data", "convert", str(source), "--from", "flagembedding", "--to", "beir"]
    assert main([*arguments, "--output", str(output)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0] == f"{output}: flagembedding → beir"
    assert [each.split() for each in table[2:4]] == [
        ["read", "questions", "2"],
        ["written", "questions", "2"],
    ]
    assert ["dropped", "hard negatives that nobody judged", "2"] in [
        [cell.strip() for cell in each.split("  ") if cell] for each in table
    ]
    assert (output / "qrels/train.tsv").is_file()

    assert main([*arguments, "--output", str(tmp_path / "again"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "output": str(tmp_path / "again"),
        "from": "flagembedding",
        "to": "beir",
        "read": {"questions": 2},
        "written": {"questions": 2, "passages": 4},
        "made": {"ids of questions, the number in the file": 2, "ids of passages, from title and text": 4},
        "changed": {},
        "dropped": {
            "'prompt' of questions": 1,
            "'score' of passages": 1,
            "hard negatives that nobody judged": 2,
        },
    }


def test_convert_refuses_with_a_sentence_and_leaves_nothing(tmp_path, capsys):
    source = tmp_path / "train.jsonl"
    source.write_text(json.dumps(ROWS[0]) + "\n" + '{"query": "x", "pos": "y"}\n')
    assert main(["data", "convert", str(source), "--to", "beir", "--output", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert f"error: {source}:2: 'pos' must be a list of strings, found a string" in told
    assert [each.name for each in tmp_path.iterdir()] == ["train.jsonl"]
