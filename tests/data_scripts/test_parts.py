import gzip
import json
from hashlib import sha256
from pathlib import Path

import pytest
import sts
from download import Source
from parts import Part, as_it_is, main
from simcse import count_examples

from retriever.data import arrow

SENTENCES = b"A cat sat.\nA dog ran.\n"


def part_of(server, name="cats", body=SENTENCES, make=as_it_is, count=count_examples, **settings):
    server.files[f"/{name}.txt"] = body
    source = Source(url=f"{server.url}/{name}.txt", home="https://home", licence="CC BY 4.0", **settings)
    return Part(name=name, sources=(source,), output=f"{name}.txt", make=make, count=count)


def run(parts, folder, *arguments, names=("cats",)):
    return main("Cats.", parts, [*names, "--output", str(folder), *arguments])


def layout(folder):
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()} - {".lock"}


def test_a_part_is_made_recorded_and_not_made_again(server, tmp_path, capsys):
    part = part_of(server)
    assert run([part], tmp_path) == 0
    assert layout(tmp_path) == {"cats.txt", "checksums.json"}
    digest = sha256(SENTENCES).hexdigest()
    assert json.loads((tmp_path / "checksums.json").read_text()) == {
        "downloads": {part.sources[0].url: {"sha256": digest, "bytes": len(SENTENCES), "published": None}},
        "parts": {
            "cats": {
                "sources": [part.sources[0].url],
                "licences": ["CC BY 4.0"],
                "counts": {"examples": 2},
                "left_out": {},
                "files": {"cats.txt": digest},
            }
        },
    }
    assert run([part], tmp_path) == 0
    assert len(server.asked) == 1
    assert "cats: already there, unchanged" in capsys.readouterr().err


def test_licence_source_and_size_are_said_before_the_download(server, tmp_path, capsys):
    server.files["/cats.txt"] = SENTENCES
    part = part_of(server, size=22)
    del server.files["/cats.txt"]
    assert run([part], tmp_path) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        f"{server.url}/cats.txt (22 B)\n  licence: CC BY 4.0\n  home: https://home\n  no checksum published: "
        "the first download's SHA-256 goes into checksums.json\n"
    )
    assert told.endswith(
        f"error: {server.url}/cats.txt: the server answers 404 Not Found; see https://home\n"
    )


def test_a_later_download_has_to_be_the_first_one(server, tmp_path, capsys):
    part = part_of(server)
    run([part], tmp_path)
    (tmp_path / "cats.txt").unlink()
    server.files["/cats.txt"] = b"Other cats.\n"
    assert run([part], tmp_path) == 2
    assert "(of an earlier download), found" in capsys.readouterr().err
    assert layout(tmp_path) == {"checksums.json"}


def test_a_changed_file_is_said_and_kept(server, tmp_path, capsys):
    part = part_of(server)
    run([part], tmp_path)
    (tmp_path / "cats.txt").write_text("mine")
    assert run([part], tmp_path) == 2
    message = "cats.txt: changed since it was made: delete cats.txt to make it again"
    assert message in capsys.readouterr().err
    assert (tmp_path / "cats.txt").read_text() == "mine"


def test_what_somebody_else_put_there_is_kept(server, tmp_path, capsys):
    (tmp_path / "cats.txt").write_text("mine")
    assert run([part_of(server)], tmp_path) == 2
    assert "is in the way, and not in checksums.json: delete it or move it" in capsys.readouterr().err
    assert (tmp_path / "cats.txt").read_text() == "mine"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", gzip.compress(SENTENCES * 99, mtime=0)[:40]])
def test_what_ctl_cannot_read_does_not_appear(server, tmp_path, body):
    good, bad = part_of(server), part_of(server, "dogs", body)
    if body[:2] == b"\x1f\x8b":
        bad = Part(
            name="dogs", sources=bad.sources, output="dogs.txt.gz", make=as_it_is, count=count_examples
        )
    run([good], tmp_path)
    assert run([good, bad], tmp_path, names=["all"]) == 2
    assert layout(tmp_path) == {"cats.txt", "checksums.json", ".downloads/dogs.txt"}


def test_a_truncated_gzip_file_is_called_so(server, tmp_path, capsys):
    part = part_of(server, body=gzip.compress(SENTENCES * 99)[:40])
    part = Part(name="cats", sources=part.sources, output="cats.txt.gz", make=as_it_is, count=count_examples)
    assert run([part], tmp_path) == 2
    assert "not a complete gzip file" in capsys.readouterr().err


def test_a_download_that_ctl_cannot_read_binds_no_later_one(server, tmp_path, capsys):
    part = part_of(server, body=b"\xff<html>log in</html>")
    assert run([part], tmp_path) == 2
    kept = tmp_path / ".downloads/cats.txt"
    assert f"kept: {kept}; delete it if it is damaged: nobody published a checksum" in capsys.readouterr().err
    kept.unlink()
    server.files["/cats.txt"] = SENTENCES
    assert run([part], tmp_path) == 0


def test_a_kill_before_the_last_rename_only_makes_the_part_again(server, tmp_path):
    part = part_of(server)
    run([part], tmp_path)
    (tmp_path / "cats.txt").unlink()  # recorded, and not there
    assert run([part], tmp_path) == 0
    assert layout(tmp_path) == {"cats.txt", "checksums.json"}


def test_a_kill_in_the_middle_leaves_nothing_in_the_way(server, tmp_path):
    def killed(downloads, target):
        target.write_text("half")
        raise KeyboardInterrupt

    assert run([part_of(server, make=killed)], tmp_path) == 130
    assert layout(tmp_path) == {".downloads/cats.txt"}
    (tmp_path / ".making").mkdir()  # as a kill that runs no handler leaves it
    (tmp_path / ".making" / "cats.txt").write_text("half")
    assert run([part_of(server)], tmp_path) == 0
    assert (tmp_path / "cats.txt").read_bytes() == SENTENCES
    assert len(server.asked) == 1


def test_downloads_that_are_there_need_no_network_and_are_kept(tmp_path):
    source = Source(url="http://127.0.0.1:9/cats.txt", home="https://home", licence="free")
    part = Part(name="cats", sources=(source,), output="cats.txt", make=as_it_is, count=count_examples)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/cats.txt").write_bytes(SENTENCES)
    assert run([part], tmp_path / "out", "--downloads", str(tmp_path / "mine")) == 0
    assert (tmp_path / "out/cats.txt").read_bytes() == SENTENCES
    assert (tmp_path / "mine/cats.txt").exists()


def test_downloads_are_kept_on_demand(server, tmp_path):
    assert run([part_of(server)], tmp_path, "--keep-downloads") == 0
    assert layout(tmp_path) == {"cats.txt", "checksums.json", ".downloads/cats.txt"}


def test_without_network_the_exit_code_is_2_and_nothing_is_left(tmp_path, capsys):
    source = Source(url="http://127.0.0.1:9/cats.txt", home="https://home", licence="free")
    part = Part(name="cats", sources=(source,), output="cats.txt", make=as_it_is, count=count_examples)
    assert run([part], tmp_path) == 2
    assert layout(tmp_path) == set()
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("error: http://127.0.0.1:9/cats.txt: cannot be reached")
    )


def test_a_data_set_of_the_hub_that_cannot_be_reached_is_one_sentence(tmp_path, capsys, monkeypatch):
    def unreachable(hub):
        raise ConnectionError

    monkeypatch.setattr(arrow, "_load", unreachable)
    assert run(sts.PARTS, tmp_path, names=["mteb-sts12"]) == 2
    message = "the hub cannot be reached, and the data set is not in the cache of an earlier run"
    assert capsys.readouterr().err.splitlines()[-1] == f"error: hf:mteb/sts12-sts:test: {message}"
    assert layout(tmp_path) == set()


def test_list_shows_parts_and_sizes_on_stdout(server, capsys):
    parts = [part_of(server, size=2_816_079), part_of(server, "dogs")]
    assert main("Cats.", parts, ["--list"]) == 0
    assert capsys.readouterr().out == (
        "part  download       makes     licence\n"
        "cats  2.82 MB        cats.txt  CC BY 4.0\n"
        "dogs  not published  dogs.txt  CC BY 4.0\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name at least one part, and --output DIR; --list prints the parts"),
        (["cats"], "name at least one part, and --output DIR; --list prints the parts"),
        (["mice", "--output", "x"], "no part 'mice'; --list prints the parts"),
    ],
)
def test_a_wrong_command_line_is_refused(server, capsys, arguments, message):
    with pytest.raises(SystemExit) as refused:
        main("Cats.", [part_of(server)], arguments)
    assert refused.value.code == 2
    assert message in capsys.readouterr().err


def test_a_foreign_checksums_file_is_refused(server, tmp_path, capsys):
    (tmp_path / "checksums.json").write_text("[]")
    assert run([part_of(server)], tmp_path) == 2
    assert "checksums.json: not what these scripts write" in capsys.readouterr().err


def test_an_output_that_is_a_file_is_refused(server, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert run([part_of(server)], tmp_path / "file") == 2
    assert "no folder can be made here" in capsys.readouterr().err


@pytest.mark.parametrize("script", ["simcse", "dpr", "sts", "transfer", "beir", "msmarco"])
def test_every_part_of_every_script_has_its_own_name_and_place(script):
    parts = __import__(script).PARTS
    assert len({part.name for part in parts}) == len({part.output for part in parts}) == len(parts)
    for source in {source.url: source for part in parts for source in part.sources}.values():
        assert source.home.startswith("http") and source.licence
        kind, _, digest = (source.checksum or "md5:" + 32 * "0").partition(":")
        assert kind == "md5" and len(digest) == 32 and int(digest, 16) >= 0
        assert source.is_on_hub or Path(source.name).name == source.name != ""
