import json
from typing import get_args

import pytest

from retriever.choices import DprPreset, SimcsePreset
from retriever.config.training import TrainDprConfig, TrainSimcseConfig
from retriever.errors import InputError
from retriever.presets import DPR_PRESETS, SIMCSE_PRESETS

REQUIRED = {"train": ("a.txt",), "output": "run"}


def test_every_preset_has_a_name_to_choose_and_a_source() -> None:
    assert tuple(SIMCSE_PRESETS) == get_args(SimcsePreset)
    assert tuple(DPR_PRESETS) == get_args(DprPreset)
    assert all(each.source for each in [*SIMCSE_PRESETS.values(), *DPR_PRESETS.values()])


@pytest.mark.parametrize("name", SIMCSE_PRESETS)
def test_simcse_presets_are_the_papers_table(name) -> None:
    config = TrainSimcseConfig.resolve({**REQUIRED, "preset": name})
    _, kind, model, size = name.split("-")
    batch_size, rates = {
        ("unsup", "bert"): (64, {"base": 3e-5, "large": 1e-5}),
        ("unsup", "roberta"): (512, {"base": 1e-5, "large": 3e-5}),
        ("sup", "bert"): (512, {"base": 5e-5, "large": 1e-5}),
        ("sup", "roberta"): (512, {"base": 5e-5, "large": 1e-5}),
    }[kind, model]
    assert (config.batch_size, config.learning_rate) == (batch_size, rates[size])
    assert (config.epochs, config.head) == ((1, "train_only") if kind == "unsup" else (3, "keep"))
    assert (config.max_length, config.temperature, config.pooling) == (32, 0.05, "cls")
    assert f"{model}-{size}" in config.model


def test_the_dpr_preset_is_the_papers() -> None:
    config = TrainDprConfig.resolve({**REQUIRED, "preset": "dpr-nq-bert-base"})
    assert (config.batch_size, config.num_hard_negatives, config.epochs) == (128, 1, 40)
    assert (config.similarity, config.temperature, config.shared_encoder) == ("dot", 1.0, False)
    assert round(config.warmup_ratio * 40 * 460) == 1237


def test_flags_and_files_beat_a_preset_and_a_preset_beats_the_defaults(tmp_path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"preset": "simcse-sup-bert-base", "batch_size": 128}))
    config = TrainSimcseConfig.resolve({**REQUIRED, "epochs": 7}, file)
    assert (config.epochs, config.batch_size, config.learning_rate) == (7, 128, 5e-5)


def test_a_recorded_config_repeats_a_run_with_a_preset(tmp_path) -> None:
    config = TrainSimcseConfig.resolve({**REQUIRED, "preset": "simcse-sup-bert-base", "batch_size": 32})
    (tmp_path / "config.json").write_text(json.dumps(config.to_json()))
    again = TrainSimcseConfig.resolve({}, tmp_path / "config.json")
    assert again.to_json() == config.to_json()


def test_a_setting_that_would_do_nothing_is_refused(tmp_path) -> None:
    for given, message in (
        (
            {"mlm_weight": 0.5},
            "mlm_weight weighs the masked-language-model loss, which is off: turn it on with --mlm",
        ),
        ({"seed": 1, "seeds": "1,2"}, "seed is for one run and seeds for several: leave one out"),
    ):
        with pytest.raises(InputError) as error:
            TrainSimcseConfig.resolve({**REQUIRED, **given})
        assert str(error.value) == message
    seeds = tmp_path / "seeds.json"
    seeds.write_text(json.dumps({"seeds": "1,2"}))
    with pytest.raises(InputError) as error:
        TrainSimcseConfig.resolve({**REQUIRED, "seed": 3}, seeds)
    assert str(error.value) == f"seed is for one run, and {seeds} has seeds 1,2: leave one out"
    with pytest.raises(InputError) as error:
        TrainDprConfig.resolve({**REQUIRED, "passage_model": "p", "shared_encoder": True})
    assert str(error.value) == (
        "shared_encoder is for one model, and passage_model names a second: leave one out (--two-encoders)"
    )
    assert TrainDprConfig.resolve({**REQUIRED, "passage_model": "p"}).shared_encoder is False
    assert TrainSimcseConfig.resolve({**REQUIRED, "mlm": True, "mlm_weight": 0.5}).mlm_weight == 0.5
    with_preset = {**REQUIRED, "preset": "simcse-sup-bert-base", "seeds": "1,2"}
    assert TrainSimcseConfig.resolve(with_preset).seed_list() == [1, 2]


def test_a_preset_that_is_not_there_is_an_error_with_those_that_are() -> None:
    with pytest.raises(InputError) as error:
        TrainDprConfig.resolve({**REQUIRED, "preset": "dpr"})
    assert str(error.value) == "preset must be one of dpr-nq-bert-base, got 'dpr'"


@pytest.mark.parametrize("value", ["0", "-5", "many", "1.5", ""])
def test_chunk_tokens_is_a_number_or_auto(value) -> None:
    assert TrainDprConfig.resolve({**REQUIRED, "chunk_tokens": "auto"}).chunk_tokens == "auto"
    with pytest.raises(InputError) as error:
        TrainDprConfig.resolve({**REQUIRED, "chunk_tokens": value})
    assert str(error.value) == f"chunk_tokens must be auto or a number of tokens above 0, got '{value}'"


def test_resume_needs_a_run_or_the_settings_of_one(tmp_path) -> None:
    with pytest.raises(InputError) as error:
        TrainSimcseConfig.resolve({"output": tmp_path / "typo", "resume": True})
    assert str(error.value) == f"{tmp_path / 'typo'}: there is no run to go on with"
    TrainSimcseConfig.resolve({**REQUIRED, "output": tmp_path / "new", "resume": True})


def test_resume_takes_the_settings_of_the_run(tmp_path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    begun = TrainSimcseConfig.resolve({"train": (tmp_path / "a.txt",), "output": run, "batch_size": 32})
    (run / "config.json").write_text(json.dumps(begun.to_json()))
    config = TrainSimcseConfig.resolve({"output": run, "resume": True})
    assert (config.batch_size, config.resume) == (32, True)
    assert config.to_json() == begun.to_json()  # that it was resumed is no setting of the run
