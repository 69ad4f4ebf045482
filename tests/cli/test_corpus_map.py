"""``ctl map``, and the stored vectors that it asks an index for."""

import numpy as np
import pytest
from matplotlib.image import imread

from cli.main import main
from retriever.index.opened import OpenIndex
from retriever.index.stored import stored_vectors, vectors_of
from tests.index.folders import write_passages

CPU = ["--device", "cpu", "--precision", "fp32"]


@pytest.fixture
def index(tmp_path, passages, model_folder, capsys):
    """An index of two segments, from which a passage was removed."""
    file, more = (
        write_passages(tmp_path / "p.jsonl", passages[:6]),
        write_passages(tmp_path / "m.jsonl", passages[6:]),
    )
    folder = tmp_path / "index"
    assert (
        main(["index", "--passages", str(file), "--model", str(model_folder), "--output", str(folder), *CPU])
        == 0
    )
    assert main(["index", "add", str(folder), "--passages", str(more), "--device", "cpu"]) == 0
    assert main(["index", "remove", str(folder), "p2"]) == 0
    capsys.readouterr()
    return folder


def test_vectors_are_found_by_id_in_the_order_asked_for_over_all_segments(index):
    opened = OpenIndex.open(index)
    everything = np.concatenate(list(stored_vectors(opened)))
    ids = list(opened)
    assert len(ids) == 9
    order = [7, 0, 5, 2]
    assert np.array_equal(vectors_of(opened, [ids[place] for place in order]), everything[order])


def test_the_map_is_a_picture_with_or_without_a_question(index, tmp_path, capsys):
    shapes = []
    for name, question in (("a.png", []), ("b.png", ["a $cat$ in paris", "-k", "3", *CPU])):
        picture = tmp_path / name
        assert main(["map", str(index), *question, "--output", str(picture)]) == 0
        assert capsys.readouterr().out == f"{picture}\n"
        shapes.append(imread(picture).shape)
    assert shapes[0][1] < shapes[1][1]


def test_what_the_map_shows_are_the_vectors_the_question_and_what_search_finds(index, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("retriever.reporting.figure.write_png", lambda figure, output: drawn.append(figure))
    assert (
        main(
            [
                "map",
                str(index),
                "the cat sat",
                "-k",
                "2",
                "--sample",
                "5",
                "--output",
                str(tmp_path / "x.png"),
                *CPU,
            ]
        )
        == 0
    )
    (axes,) = drawn[0].axes
    assert len(axes.collections[0].get_offsets()) == 5
    assert axes.get_title().startswith("5 of 9 passages, drawn at random; the plane holds")
    labels = [each.get_text() for each in axes.get_legend().get_texts()]
    assert labels[:2] == ["passage", "question: the cat sat"]
    assert [each[:3] for each in labels[2:]] == ["1  ", "2  "]


def test_one_seed_is_one_picture(index, tmp_path):
    pictures = [tmp_path / f"{name}.png" for name in "abc"]
    for picture, seed in zip(pictures, ("1", "1", "2"), strict=True):
        assert main(["map", str(index), "--sample", "5", "--seed", seed, "--output", str(picture)]) == 0
    first, second, other = (each.read_bytes() for each in pictures)
    assert first == second != other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{index}", "--output", "a.jpg"], "a.jpg: the picture is a PNG: its name must end in .png"),
        (["{index}", "--output", "none/a.png"], "none: no such folder"),
        (["{index}", " ", "--output", "a.png"], "the question is empty"),
        (["{index}", "--sample", "2", "--output", "a.png"], "--sample must be at least 3, got 2"),
        (["{index}", "--model", "m", "--output", "a.png"], "--model encodes the question, and there is none"),
        (["{index}"], "--output is required"),
    ],
)
def test_wrong_use_is_one_sentence(index, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["map", *(each.format(index=index) for each in arguments)]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not list(tmp_path.glob("**/*.png"))


def test_a_folder_that_is_no_index_is_refused(tmp_path, capsys):
    assert main(["map", str(tmp_path), "--output", str(tmp_path / "a.png")]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}")
