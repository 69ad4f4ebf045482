"""What a model card tells that the model itself does not know: kept as ``card.json`` beside it, so that results can be added later."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from retriever.choices import TextRole
from retriever.config.training import TrainDprConfig, TrainSimcseConfig
from retriever.data.files import read_json, read_json_object
from retriever.errors import InputError
from retriever.evaluation.results import RESULTS_FILE, read_results, tasks_of
from retriever.settings import plain

CARD_FILE = "card.json"
NOT_TOLD = {"train", "dev", "passages", "model", "passage_model", "output", "device", "precision", "report_to", "seeds",
            "preset", "resume", "checkpoint_every"}  # fmt: skip
"""Settings that the card has elsewhere, or that are of the machine."""


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What stands in a card.

    Attributes:
        name: of the model.
        base_model: what training began with; of a folder its last name.
        on_hub: whether that is a name on the Hugging Face hub.
        passage_model: what the passages' encoder began with; empty: with the same.
        passage_on_hub: as ``on_hub``.
        recipe: objective and lengths, in words; empty: not known.
        preset: the paper's settings that training took, or None.
        settings: of training, where they are not the preset's or the defaults.
        files: what training read: purpose, name and SHA-256, which is None of a data set of the hub or a folder.
        examples: how many there were; None: not known.
        processes: that trained together; None: not known.
        anchors: in a step, of all processes; None: not known.
        precision: of training; empty: not known.
        results: suite, task, metrics, policy, data and versions.
    """

    name: str
    base_model: str = ""
    on_hub: bool = False
    passage_model: str = ""
    passage_on_hub: bool = False
    recipe: str = ""
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[Mapping[str, Any]] = ()
    examples: int | None = None
    processes: int | None = None
    anchors: int | None = None
    precision: str = ""
    results: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)


FACTS = {
    "name": str, "base_model": str, "on_hub": bool, "passage_model": str, "passage_on_hub": bool, "recipe": str,
    "preset": str | None, "settings": dict, "files": list | tuple, "examples": int | None, "processes": int | None,
    "anchors": int | None, "precision": str, "results": list | tuple,
}  # fmt: skip
FILE = {"purpose": str, "name": str, "sha256": str | None}
RESULT = {
    "suite": str,
    "task": str,
    "metrics": dict,
    "policy": dict,
    "versions": dict,
    "data_sha256": str | None,
}
"""Of which types the parts of card.json are."""


def card_of(path: Path) -> tuple[Path, CardFacts]:
    """The model folder of a run, or the folder itself, and what is known of it.

    Of a run's model the run knows most: the card.json that lies there was perhaps written before the run was finished, and only adds
    results that the run does not have.

    Raises:
        InputError: no model there, one half of two encoders, or a card.json that is none.
    """
    from retriever.encoding.locate import locate_model

    if not path.is_dir():
        raise InputError(
            "no such folder: a card is written into a run directory or a model folder", path=path
        )
    folder = locate_model(str(path))
    place = folder.resolve()
    _require_whole(place, folder)
    kept = _read_card(folder / CARD_FILE) if (folder / CARD_FILE).is_file() else None
    run = place.parent
    if place.name == "model" and (run / "config.json").is_file() and (run / "environment.json").is_file():
        facts = facts_of_run(run)
        own = {(each["suite"], each["task"]) for each in facts.results}
        further = [each for each in kept.results if (each["suite"], each["task"]) not in own] if kept else []
        return folder, replace(facts, results=[*facts.results, *further])
    return folder, kept or CardFacts(name=place.name)


def _require_whole(place: Path, folder: Path) -> None:
    from retriever.encoding.model_folder import DUAL_ENCODER_FILE

    if place.name in get_args(TextRole) and (place.parent / DUAL_ENCODER_FILE).is_file():
        raise InputError(
            f"is one of two encoders, whose card is written with that of both: ctl card {place.parent}",
            path=folder,
        )


def _read_card(file: Path) -> CardFacts:
    found = read_json(file)
    empty = CardFacts(name="").to_json()
    whole = isinstance(found, dict) and "name" in found and _is({**empty, **found}, FACTS)
    if (
        not isinstance(found, dict)
        or not whole
        or not all(_is(each, FILE) for each in found.get("files", ()))
        or not all(_is(each, RESULT) and _are_metrics(each["metrics"]) for each in found.get("results", ()))
    ):
        raise InputError("not what a model card is made of", path=file)
    return CardFacts(**found)


def _is(values: object, kinds: Mapping[str, Any]) -> bool:
    """Whether this is an object of just these keys, their values of these types."""
    return (
        isinstance(values, dict)
        and values.keys() == kinds.keys()
        and all(isinstance(values[name], kind) for name, kind in kinds.items())
    )


def _are_metrics(metrics: Mapping[str, object]) -> bool:
    return all(isinstance(each, int | float | list | None) for each in metrics.values())


def facts_of_run(run: Path) -> CardFacts:
    """What a run directory tells of its model; results of an older version, which do not say of which model they are, count as none."""
    config, environment = (read_json_object(run / name) for name in ("config.json", "environment.json"))
    bases = {key: _base(key, config, environment) for key in ("model", "passage_model")}
    processes, batch_size = environment.get("processes"), config.get("batch_size")
    facts = CardFacts(
        name=run.resolve().name,
        base_model=bases["model"][0],
        on_hub=bases["model"][1],
        passage_model=bases["passage_model"][0],
        passage_on_hub=bases["passage_model"][1],
        recipe=str(environment.get("recipe", "")),
        preset=config.get("preset"),
        settings=_differing(config),
        files=[
            {
                "purpose": purpose,
                **each,
                "name": each["name"] if each["name"].startswith("hf:") else Path(each["name"]).name,
            }
            for purpose, files in environment.get("files", {}).items()
            for each in files
        ],
        processes=processes,
        anchors=processes * batch_size if processes and batch_size else None,
        precision=str(environment.get("precision", "")),
    )
    stored = read_json_object(run / RESULTS_FILE) if (run / RESULTS_FILE).is_file() else {}
    facts = replace(facts, examples=stored.get("examples"))
    if not isinstance(stored.get("model"), dict):
        return facts
    return replace(facts, results=list(_results_of(read_results(run))))


def _base(key: str, config: Mapping[str, Any], environment: Mapping[str, Any]) -> tuple[str, bool]:
    """Name of a model that training began with, and whether it is one of the hub: a path of the machine is nobody's business.

    Runs of an older version do not say where it came from.
    """
    name, source = config.get(key), environment.get("model_sources", {}).get(key)
    if not isinstance(name, str):
        return "", False
    shown = name if source in ("hub", "packaged") else re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    return shown, source == "hub"


def with_results(facts: CardFacts, folder: Path, results: Sequence[Path]) -> CardFacts:
    """The facts with further results; a task's new ones take the place of its old.

    Raises:
        InputError: results of another model.
    """
    if not results:
        return facts
    fingerprint = _fingerprint(folder)
    joined = {(each["suite"], each["task"]): each for each in facts.results}
    for each in results:
        found = read_results(each)
        if found["model"]["fingerprint"] != fingerprint:
            raise InputError(
                f"holds results of '{found['model'].get('name')}' (fingerprint {found['model']['fingerprint'][:12]}), "
                f"and not of this model ({fingerprint[:12]})",
                path=each,
            )
        joined |= {(one["suite"], one["task"]): one for one in _results_of(found)}
    return replace(facts, results=list(joined.values()))


def _fingerprint(folder: Path) -> str:
    from retriever.encoding.dual_encoder import DualEncoder
    from retriever.encoding.encoder import Encoder
    from retriever.encoding.model_folder import DUAL_ENCODER_FILE

    if (folder / DUAL_ENCODER_FILE).is_file():
        return DualEncoder.load(folder, device="cpu", precision="fp32").fingerprint
    return Encoder.load(folder, device="cpu", precision="fp32").fingerprint


def _results_of(results: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for suite, task in tasks_of(results):
        about = {name: results[name][suite][task] for name in ("policy", "versions")}
        sha256 = results["data"][suite][task].get("sha256")
        yield {"suite": suite, "task": task, "metrics": results[suite][task], "data_sha256": sha256, **about}


def _differing(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not the preset's, or without one not the defaults."""
    recipe: type[TrainDprConfig | TrainSimcseConfig] = (
        TrainDprConfig if "query_max_length" in config else TrainSimcseConfig
    )
    usual = {each.name: each.default for each in fields(recipe)} | dict(recipe.other_defaults(config))
    return {
        name: value
        for name, value in config.items()
        if name not in NOT_TOLD and (name not in usual or value != plain(usual[name]))
    }  # one that this version does not know is told
