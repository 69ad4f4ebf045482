"""What a model card tells that the model itself does not know: kept as ``card.json`` beside it, so that results can be added later."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from retriever.config.training import TrainDprConfig, TrainSimcseConfig
from retriever.data.files import read_json
from retriever.errors import InputError
from retriever.evaluation.results import read_results, tasks_of
from retriever.settings import plain

CARD_FILE = "card.json"
NOT_TOLD = {"train", "dev", "passages", "model", "passage_model", "output", "device", "report_to", "seeds", "preset",
            "resume", "checkpoint_every"}  # fmt: skip
"""Settings that the card has elsewhere, or that are of the machine."""


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What stands in a card.

    Attributes:
        name: of the model.
        base_model: what training began with; of a folder its last name.
        on_hub: whether that is a name on the Hugging Face hub.
        recipe: objective and lengths, in words; empty: not known.
        preset: the paper's settings that training took, or None.
        settings: of training, where they are not the preset's or the defaults.
        files: what training read: purpose, name and SHA-256, which is None of a data set of the hub or a folder.
        examples: how many there were; None: not known.
        results: suite, task, metrics, policy, data and versions.
    """

    name: str
    base_model: str = ""
    on_hub: bool = False
    recipe: str = ""
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[Mapping[str, Any]] = ()
    examples: int | None = None
    results: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)


def card_of(path: Path) -> tuple[Path, CardFacts]:
    """The model folder of a run, or the folder itself, and what is known of it.

    Raises:
        InputError: no model there, or a card.json that is none.
    """
    from retriever.encoding.locate import locate_model

    if not path.is_dir():
        raise InputError(
            "no such folder: a card is written into a run directory or a model folder", path=path
        )
    folder = locate_model(str(path))
    if (folder / CARD_FILE).is_file():
        found = read_json(folder / CARD_FILE)
        names = {each.name for each in fields(CardFacts)}
        if not isinstance(found, dict) or "name" not in found or not found.keys() <= names:
            raise InputError("not what a model card is made of", path=folder / CARD_FILE)
        return folder, CardFacts(**found)
    run = folder.resolve().parent
    if folder.name == "model" and (run / "config.json").is_file() and (run / "environment.json").is_file():
        return folder, facts_of_run(run)
    return folder, CardFacts(name=folder.resolve().name)


def facts_of_run(run: Path) -> CardFacts:
    """What a run directory tells of its model."""
    config, environment = (_object(run / name) for name in ("config.json", "environment.json"))
    base = str(config.get("model"))
    on_hub = base.count("/") == 1 and not base.startswith(("/", ".", "~")) and not Path(base).exists()
    facts = CardFacts(
        name=run.resolve().name,
        base_model=base if on_hub or ":" in base else Path(base).name,
        on_hub=on_hub,
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
    )
    if not (run / "results.json").is_file():
        return facts
    results = read_results(run)
    return replace(facts, examples=results.get("examples"), results=list(_results_of(results)))


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
        name: value for name, value in config.items() if name not in NOT_TOLD and value != plain(usual[name])
    }


def _object(file: Path) -> dict[str, Any]:
    found = read_json(file)
    if not isinstance(found, dict):
        raise InputError("expected a JSON object", path=file)
    return found
