import hashlib
import random
import re
import shutil

import pytest
from download import Source, download

from retriever.errors import InputError

BODY = bytes(range(256)) * 40_000  # ten megabytes
MD5 = f"md5:{hashlib.md5(BODY).hexdigest()}"


def source_of(server, body=BODY, **settings):
    server.files["/set/data.bin"] = body
    return Source(url=f"{server.url}/set/data.bin", home="https://home", licence="free", **settings)


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def test_a_file_is_downloaded_checked_and_left_alone_the_next_time(server, tmp_path):
    source = source_of(server, checksum=MD5)
    assert download(source, tmp_path) == tmp_path / "data.bin"
    assert (tmp_path / "data.bin").read_bytes() == BODY
    assert download(source, tmp_path) == tmp_path / "data.bin"
    assert server.asked == [None]
    assert names(tmp_path) == ["data.bin"]


def test_a_connection_that_breaks_is_made_again_and_goes_on(server, tmp_path):
    server.breaks = [3_000_000, 2_000_000]
    download(source_of(server), tmp_path)
    assert server.asked == [None, "bytes=3000000-", "bytes=5000000-"]
    assert (tmp_path / "data.bin").read_bytes() == BODY


@pytest.mark.parametrize("seed", range(5))
def test_wherever_connections_break_the_file_is_the_same(server, tmp_path, seed):
    draw = random.Random(seed)
    server.breaks = [draw.choice((1, 1000, 1 << 20, 3_000_001)) for _ in range(30)]
    assert download(source_of(server, BODY[:5_000_000]), tmp_path).read_bytes() == BODY[:5_000_000]


def test_a_second_run_goes_on_where_the_first_one_broke_off(server, tmp_path):
    source = source_of(server)
    server.breaks = [3_000_000, 0]
    with pytest.raises(InputError, match=r"the connection broke.*the first 3 MB are kept, run it again"):
        download(source, tmp_path)
    assert names(tmp_path) == ["data.bin.part", "data.bin.part.validator"]
    download(source, tmp_path)
    assert server.asked[-1] == "bytes=3000000-"
    assert (tmp_path / "data.bin").read_bytes() == BODY
    assert names(tmp_path) == ["data.bin"]


def test_a_file_that_changed_on_the_server_meanwhile_begins_anew(server, tmp_path):
    source = source_of(server)
    server.breaks = [3_000_000, 0]
    with pytest.raises(InputError):
        download(source, tmp_path)
    server.etag, server.files["/set/data.bin"] = '"two"', BODY[::-1]
    download(source, tmp_path)
    assert server.asked[-1] == "bytes=3000000-"
    assert (tmp_path / "data.bin").read_bytes() == BODY[::-1]


@pytest.mark.parametrize(("checksum", "asked"), [(None, None), (MD5, "bytes=3000000-")])
def test_without_etag_only_a_published_checksum_lets_it_go_on(server, tmp_path, checksum, asked):
    server.etag = 'W/"weak"'
    server.breaks = [3_000_000, 0]
    source = source_of(server, checksum=checksum)
    with pytest.raises(InputError, match=r"the connection broke|cannot be reached"):
        download(source, tmp_path)
    server.asked.clear()
    download(source, tmp_path)
    assert server.asked == [asked]
    assert (tmp_path / "data.bin").read_bytes() == BODY


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path):
    server.knows_ranges, server.breaks = False, [3_000_000]
    download(source_of(server), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == BODY


def test_a_part_that_was_complete_when_the_process_died_is_not_downloaded_again(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(BODY)
    download(source_of(server, checksum=MD5), tmp_path)
    assert server.asked == [f"bytes={len(BODY)}-"]
    assert names(tmp_path) == ["data.bin"]


def test_a_part_that_is_too_long_begins_anew(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(BODY + b"more")
    download(source_of(server, checksum=MD5), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == BODY


def test_a_wrong_checksum_deletes_what_came_and_says_both(server, tmp_path):
    source = source_of(server, checksum="md5:00")
    message = f"data.bin.part: wrong checksum: expected md5 00 (published), found {MD5[4:]}; it is deleted"
    with pytest.raises(InputError, match=re.escape(message)):
        download(source, tmp_path)
    assert not list(tmp_path.glob("*.bin*t"))


def test_another_file_than_the_first_time_is_refused(server, tmp_path):
    with pytest.raises(InputError, match=r"expected sha256 11 \(of an earlier download\)"):
        download(source_of(server), tmp_path, "11")


def test_a_wrong_file_that_was_put_there_is_not_deleted(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(b"mine")
    with pytest.raises(InputError, match="delete it to download it again"):
        download(source_of(server, checksum=MD5), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == b"mine"
    assert server.asked == []


def test_an_address_that_is_gone_names_the_home_of_the_set(server, tmp_path):
    source = Source(url=f"{server.url}/nothing", home="https://home", licence="free")
    with pytest.raises(InputError, match=r"/nothing: the server answers 404 Not Found; see https://home"):
        download(source, tmp_path)
    assert names(tmp_path) == []


def test_without_network_there_is_one_sentence(tmp_path):
    source = Source(url="http://127.0.0.1:9/data.bin", home="https://home", licence="free")
    with pytest.raises(
        InputError, match=r"^http://127.0.0.1:9/data.bin: cannot be reached \(.*\): is there a network\?$"
    ):
        download(source, tmp_path)
    assert names(tmp_path) == []


def test_too_little_space_is_said_before_anything_is_written(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(InputError, match=r"data.bin needs 10.2 MB, 1 kB are free"):
        download(source_of(server), tmp_path)


def test_a_file_without_length_is_whole_when_the_answer_ends(server, tmp_path):
    source = source_of(server, b"")
    assert download(source, tmp_path).read_bytes() == b""
