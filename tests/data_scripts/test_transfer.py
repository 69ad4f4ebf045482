import io
import tarfile

import pytest
import transfer

from retriever.data.senteval_transfer import BINARY, SPLITS
from retriever.errors import InputError

PARTS = {part.name: part for part in transfer.PARTS}


def make(tmp_path, name, files):
    archive = tmp_path / "senteval.tar"
    with tarfile.open(archive, "w") as tar:
        for member_name, data in files.items():
            member = tarfile.TarInfo(member_name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    work = tmp_path / "work"
    work.mkdir()
    target = work / PARTS[name].output
    return target, PARTS[name].make([archive], target)


@pytest.mark.parametrize("name", list(BINARY))
def test_two_latin_files_become_one_table_with_labels(tmp_path, name):
    positive, negative = BINARY[name].values()
    files = {positive: b'caf\xe9 "good"\t  .\n\nfine .\n', negative: b"bad .\n"}
    target, left_out = make(tmp_path, name, files)
    assert target.read_text(encoding="utf-8") == 'label\ttext\n1\tcafé "good" .\n1\tfine .\n0\tbad .\n'
    assert left_out == {"rows without text": 1}
    assert PARTS[name].count(target) == {"rows": 3}


def test_sst_has_the_label_behind_the_text(tmp_path):
    files = {f"SST/binary/sentiment-{split}": b"a gem .\t1\ndull\t0\n" for split in ("train", "dev", "test")}
    folder, left_out = make(tmp_path, "sst2", files)
    assert (folder / "dev.tsv").read_text() == "label\ttext\n1\ta gem .\n0\tdull\n"
    assert left_out == {}
    assert PARTS["sst2"].count(folder) == {"dev rows": 2, "test rows": 2, "train rows": 2}


def test_trec_has_coarse_and_fine_classes_and_latin_letters(tmp_path):
    line = b"DESC:manner How did Caf\xe9s develop ?\n"
    folder, _ = make(tmp_path, "trec", {"TREC/train_5500.label": line * 2, "TREC/TREC_10.label": line})
    assert (folder / "test.tsv").read_text(encoding="utf-8") == (
        "label\tfine\ttext\nDESC\tDESC:manner\tHow did Cafés develop ?\n"
    )
    assert PARTS["trec"].count(folder) == {"test rows": 1, "train rows": 2}


def test_mrpc_has_a_header_a_byte_order_mark_and_quotes_that_are_letters(tmp_path):
    data = '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t7\t8\tHe said " no .\tShe " said .\r\n'
    members = ("MRPC/msr_paraphrase_train.txt", "MRPC/msr_paraphrase_test.txt")
    folder, _ = make(tmp_path, "mrpc", dict.fromkeys(members, data.encode()))
    assert (folder / "train.tsv").read_text() == (
        'label\tsentence1\tsentence2\n1\tHe said " no .\tShe " said .\n'
    )


@pytest.mark.parametrize(
    ("name", "members", "data", "message"),
    [
        (
            "sst2",
            SPLITS["sst2"],
            b"text 1\n",
            "sentiment-train:1: expected a text, a tab and the label 0 or 1",
        ),
        ("sst2", SPLITS["sst2"], b"a\t1\nb\t2\n", "sentiment-train:2: expected a text, a tab and the label"),
        ("trec", SPLITS["trec"], b"WHAT:x y\n", "train_5500.label:1: expected CLASS:class and a question"),
        ("trec", SPLITS["trec"], b"DESC what is it ?\n", "train_5500.label:1: expected CLASS:class and a"),
        (
            "mrpc",
            SPLITS["mrpc"],
            b"Quality\t#1 String\t#2 String\n2\ta\tb\n",
            "msr_paraphrase_train.txt:2: the label must be 0 or 1, found '2'",
        ),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path, name, members, data, message):
    with pytest.raises(InputError) as refused:
        make(tmp_path, name, dict.fromkeys(members.values(), data))
    assert message in str(refused.value)
