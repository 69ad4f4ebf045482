"""What a folder may declare, what it may not, and that none of it is ever run."""

import json
import shutil
from pathlib import Path

import pytest

from retriever.encoding.encoder import Encoder
from retriever.encoding.model_folder import read_settings
from retriever.errors import InputError


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "model"))


def edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"pooling": "max"},
            "pooling 'max' is not known (known: cls, mean, first_last_mean, top2_mean)",
        ),
        ({"similarity": "euclidean"}, "similarity 'euclidean' is not known (known: cosine, dot)"),
        ({"max_length": "64"}, "max_length must be a whole number, got '64'"),
        ({"prompts": ["query: "]}, "prompts must be an object of strings"),
        ({"format_version": 2}, "format version 2, this program reads 1"),
    ],
)
def test_settings_that_are_not_known_are_refused(folder: Path, values: dict, message: str) -> None:
    edit(folder / "encoder.json", **values)
    with pytest.raises(InputError) as error:
        read_settings(folder)
    assert str(error.value) == f"{folder / 'encoder.json'}: {message}"


def test_an_unknown_setting_is_refused(folder: Path) -> None:
    edit(folder / "encoder.json", layers=3)
    with pytest.raises(InputError, match="not the settings of an encoder"):
        read_settings(folder)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode": "mean"}, "mean"),
        ({"pooling_mode": ["cls"]}, "cls"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
    ],
)
def test_sentence_transformers_poolings_are_read_in_every_spelling(
    folder: Path, pooling: dict, expected: str
) -> None:
    (folder / "encoder.json").unlink()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    settings = read_settings(folder)
    assert settings is not None
    assert settings.pooling == expected
    assert settings.passage_format == "{title}. {text}"


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        ({"pooling_mode": ["cls", "mean"]}, "pooling cls, mean is not supported (known: cls, mean)"),
        (
            {"pooling_mode_max_tokens": True},
            "pooling pooling_mode_max_tokens is not supported (known: cls, mean)",
        ),
        ({}, "pooling none is not supported (known: cls, mean)"),
        (
            {"pooling_mode": "mean", "include_prompt": False},
            "pooling without the prompt's tokens is not supported",
        ),
    ],
)
def test_a_pooling_that_cannot_be_had_is_refused(folder: Path, pooling: dict, message: str) -> None:
    (folder / "encoder.json").unlink()
    file = folder / "1_Pooling" / "config.json"
    file.write_text(json.dumps(pooling))
    with pytest.raises(InputError) as error:
        read_settings(folder)
    assert str(error.value) == f"{file}: {message}"


def test_a_module_that_is_not_known_is_refused(folder: Path) -> None:
    (folder / "encoder.json").unlink()
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 2, "name": "2", "path": "2_CNN", "type": "sentence_transformers.models.CNN"})
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(InputError, match="module 'CNN' is not supported"):
        read_settings(folder)


def test_code_in_a_model_folder_is_never_run_and_never_asked_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object) -> str:
        raise AssertionError("transformers asked whether to run the folder's code")

    monkeypatch.setattr("builtins.input", asked)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    edit(
        folder / "config.json",
        auto_map={"AutoModel": "evil.Evil", "AutoConfig": "evil.Config"},
        model_type="evil",
    )
    with pytest.raises(InputError, match="cannot be loaded as a Hugging Face encoder"):
        Encoder.load(folder, device="cpu")
    assert not (tmp_path / "ran").exists()


def test_truncated_weights_are_an_input_error(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be loaded as a Hugging Face encoder"):
        Encoder.load(folder, device="cpu")
