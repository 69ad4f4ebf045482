import pytest

from retriever.data.transfer import WHOLE, find_transfer_tasks, read_transfer_task
from retriever.errors import InputError
from retriever.records import LabelledText, TransferTask

TABLE = "label\ttext\n1\tgood\n0\tbad\n"


@pytest.fixture
def folder(tmp_path):
    """As data_scripts/transfer.py writes them, and as ``NAME_split.tsv``."""
    for name in (
        "cr.tsv",
        "TREC_train-00000-of-00001.tsv",
        "TREC_test.tsv",
        "sst2/train.tsv",
        "sst2/dev.tsv",
        "sst2/test.tsv",
    ):
        file = tmp_path / "all" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TABLE)
    (tmp_path / "all" / "checksums.json").write_text("{}")
    (tmp_path / "all" / "raw").mkdir()
    return tmp_path / "all"


def found(*paths):
    return {task.name: task.files for task in find_transfer_tasks(paths)}


def refusal(*paths):
    with pytest.raises(InputError) as error:
        find_transfer_tasks(paths)
    return str(error.value)


def test_a_folder_is_a_family_of_tasks(folder, caplog):
    with caplog.at_level("INFO"):
        tasks = found(folder)
    assert tasks == {
        "TREC": {"test": folder / "TREC_test.tsv", "train": folder / "TREC_train-00000-of-00001.tsv"},
        "cr": {WHOLE: folder / "cr.tsv"},
        "sst2": {split: folder / "sst2" / f"{split}.tsv" for split in ("dev", "test", "train")},
    }
    assert caplog.messages == [f"{folder}: no task in raw"]


def test_a_split_brings_the_others_and_counts_once(folder):
    assert found(folder / "TREC_test.tsv", folder / "TREC_train-00000-of-00001.tsv") == {
        "TREC": found(folder)["TREC"]
    }
    assert found(folder / "sst2" / "test.tsv", folder / "sst2") == {"sst2": found(folder)["sst2"]}


def test_a_task_is_read_with_its_splits(folder):
    both = [LabelledText("1", "good"), LabelledText("0", "bad")]
    tasks = {task.name: read_transfer_task(task) for task in find_transfer_tasks([folder])}
    assert tasks == {
        "TREC": TransferTask("TREC", both, [], both),
        "cr": TransferTask("cr", both, [], []),
        "sst2": TransferTask("sst2", both, both, both),
    }


def test_sentevals_own_folders(tmp_path, caplog):
    files = {
        "CR/custrev.pos": b"caf\xe9  good\n\n",
        "CR/custrev.neg": b"bad\n",
        "SST/binary/sentiment-train": b"a gem .\t1\n",
        "SST/binary/sentiment-dev": b"dull\t0\n",
        "SST/binary/sentiment-test": b"long\t0\n",
        "SST/fine/sentiment-test": b"0 long\n",
        "TREC/train_5500.label": b"DESC:manner How did\n",
        "TREC/TREC_10.label": b"NUM:dist How far ?\n",
        "MRPC/msr_paraphrase_train.txt": b"Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tone: a\ttwo\n",
        "MRPC/msr_paraphrase_test.txt": b"Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t7\t8\tthree\tfour\n",
    }
    for name, data in files.items():
        file = tmp_path / "downstream" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    tasks = {task.name: read_transfer_task(task) for task in find_transfer_tasks([tmp_path / "downstream"])}
    assert tasks == {
        "cr": TransferTask("cr", [LabelledText("1", "café good"), LabelledText("0", "bad")], [], []),
        "mrpc": TransferTask(
            "mrpc", [LabelledText("1", "one: a", "two")], [], [LabelledText("0", "three", "four")]
        ),
        "sst2": TransferTask(
            "sst2", [LabelledText("1", "a gem .")], [LabelledText("0", "dull")], [LabelledText("0", "long")]
        ),
        "trec": TransferTask(
            "trec", [LabelledText("DESC", "How did")], [], [LabelledText("NUM", "How far ?")]
        ),
    }
    assert caplog.messages == ["cr: 1 of 3 rows have no text and are left out"]
    assert found(tmp_path / "downstream" / "SST").keys() == {"sst2"}


def test_bad_input_is_one_sentence(folder):
    inner = folder / "sst2"
    assert refusal(folder / "raw") == (
        f"{folder / 'raw'}: no table of labels and texts in this folder, nor SentEval's files"
    )
    (folder / "raw" / "cr.tsv").write_text(TABLE)
    again = f"{folder}: two of the data sets are called 'cr'; evaluate them one by one"
    assert refusal(folder) == again
    (inner / "test.csv").write_text(TABLE)
    assert refusal(inner) == f"{inner}: two files for one split of 'sst2': test.csv, test.tsv"
    (inner / "test.csv").unlink()
    (inner / "sst2.tsv").write_text(TABLE)
    assert refusal(inner) == (
        f"{inner}: 'sst2' is one file as well as a file for each split: dev.tsv, sst2.tsv, test.tsv, train.tsv"
    )
    (inner / "sst2.tsv").unlink()
    (inner / "test.tsv").unlink()
    assert (
        refusal(inner / "train.tsv") == f"{inner}: task 'sst2' has no test file (found: dev.tsv, train.tsv)"
    )
    (missing,) = find_transfer_tasks([folder / "none_test.tsv"])
    with pytest.raises(InputError, match=r"none_test\.tsv: no such file"):
        read_transfer_task(missing)
    (hub,) = find_transfer_tasks([type(folder)("hf:glue")])
    with pytest.raises(InputError, match=r"expected a \.tsv"):
        read_transfer_task(hub)
