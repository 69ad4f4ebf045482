"""README.md of a model folder: Hugging Face's front matter, how the model embeds, how to use it, what it was trained on, its results.

Written after training by the command line, and not by training itself, from which reporting is a floor up: all of it stands in the run
directory and the model folder.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retriever.choices import TextRole
from retriever.data.files import atomic_file, write_json
from retriever.errors import InputError
from retriever.reporting.card_facts import CARD_FILE, CardFacts
from retriever.reporting.card_use import how_to_use

if TYPE_CHECKING:
    from retriever.encoding.model_folder import EncoderSettings

    Settings = Mapping[TextRole | None, EncoderSettings]

README = "README.md"
BESIDE = ("majority", "dev_accuracy")
"""Numbers of a task that are no result of the model on it."""
MARK = "<!-- written by ctl, sha256 of the rest: {} -->\n"
TEXTS: dict[TextRole, str] = {"query": "questions", "passage": "passages"}
TASK_TYPES = {"sts": "semantic-similarity", "transfer": "text-classification",
              "retrieval": "information-retrieval", "dev_pool": "information-retrieval"}  # fmt: skip


def write_card(folder: Path, facts: CardFacts) -> Path:
    """Write card.json and README.md into a model folder; of two encoders into those of both, too.

    Raises:
        InputError: a README.md there is not ours, or was changed since, or the folder does not say how it embeds; nothing is written
            then.
    """
    from retriever.encoding.model_folder import DUAL_ENCODER_FILE, read_settings

    roles: tuple[TextRole | None, ...] = (None,)
    if (folder / DUAL_ENCODER_FILE).is_file():
        roles = (None, "query", "passage")
    folders = {role: folder / (role or "") for role in roles}
    for each in folders.values():
        _require_own(each / README)
    settings = {role: read_settings(each) for role, each in folders.items() if len(roles) == 1 or role}
    known: dict[TextRole | None, EncoderSettings] = {}
    for one, found in settings.items():
        if found is None:
            raise InputError(
                "does not say how it embeds, so there is nothing to tell of it", path=folders[one]
            )
        known[one] = found
    write_json(folder / CARD_FILE, facts.to_json())
    for role, each in folders.items():
        own: Settings = known if role is None else {role: known[role]}
        text = _marked(render(facts, own, half=role))
        with atomic_file(each / README) as file:
            file.write(text)
    return folder / README


def render(facts: CardFacts, settings: "Settings", *, half: TextRole | None) -> str:
    """The whole text but for its last line.

    Args:
        facts: what is known.
        settings: of the encoder, or by role of both.
        half: this is the folder of one of two encoders.
    """
    two = half is None and len(settings) == 2
    alone = settings[None].role if None in settings else None  # a half without its other half
    role = half or alone
    parts = [_front_matter(facts, loads=not two and alone is None, half=half), f"# {escaped(facts.name)}"]
    recipe = f", trained by {escaped(facts.recipe)}" if facts.recipe else ""
    kind = "A question encoder and a passage encoder" if two else "A sentence encoder"
    if role is not None:
        above = "" if half is None else " (both, and their results: the folder above)"
        kind = f"One of two encoders, for {TEXTS[role]} only{above}"
    parts.append(f"{kind}{recipe}.")
    parts += [
        "## How it embeds",
        *map(_embeds, settings.items()),
        "## Use",
        how_to_use(settings, half=role, alone=alone is not None),
    ]
    if facts.files or facts.settings or facts.base_model:
        parts += ["## Training", *_training(facts)]
    if facts.results and half is None:
        parts += ["## Results", *_results(facts.results)]
    return "\n\n".join(parts) + "\n\n"


def escaped(text: object) -> str:
    """Text in which nothing is Markdown or HTML, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$!&])", r"\\\1", _plain(text))


def code(text: object) -> str:
    """A code span."""
    return f"`{_plain(text).replace('`', chr(39)).replace('|', '¦')}`"


def exact(text: str) -> str:
    """A code span of a text as JSON has it, in which every letter and space counts and nothing ends the span or a table's cell."""
    quoted = json.dumps(text, ensure_ascii=False)
    quoted = re.sub(r"(?<= ) |[`|]", lambda found: f"\\u{ord(found[0]):04x}", quoted)
    return f"`{''.join(each if each.isprintable() else json.dumps(each)[1:-1] for each in quoted)}`"


def _plain(text: object) -> str:
    return "".join(each if each.isprintable() else "?" for each in " ".join(str(text).split()))


def _front_matter(facts: CardFacts, *, loads: bool, half: TextRole | None) -> str:
    """YAML, its values being JSON, which is YAML, too."""
    tags = ["sentence-transformers", "sentence-similarity", "feature-extraction", "contrastive-text-learning"]
    values: dict[str, object] = {"library_name": "sentence-transformers"} if loads else {}
    values |= {"pipeline_tag": "sentence-similarity", "tags": tags if loads else tags[1:]}
    if bases := _hub_names(facts, half):
        values["base_model"] = bases if len(bases) > 1 else bases[0]
    if half is None and (index := [*_model_index(facts.results)]):
        values["model-index"] = [{"name": _plain(facts.name), "results": index}]
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join(["---", *lines, "---"])


def _hub_names(facts: CardFacts, half: TextRole | None) -> list[str]:
    """What this folder's encoders began with, as far as it is on the hub."""
    of_role: dict[TextRole, tuple[str, bool]] = {
        "query": (facts.base_model, facts.on_hub),
        "passage": (facts.passage_model, facts.passage_on_hub)
        if facts.passage_model
        else (facts.base_model, facts.on_hub),
    }
    return list(
        dict.fromkeys(
            _plain(name) for role, (name, on_hub) in of_role.items() if on_hub and half in (None, role)
        )
    )


def _model_index(results: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, object]]:
    for each in results:
        task, name = _plain(each["task"]), TASK_TYPES.get(each["suite"], "feature-extraction")
        metrics = [
            {"type": metric, "value": value, "name": metric}
            for metric, value in _shown(each["metrics"])
            if isinstance(value, float) and metric not in BESIDE
        ]
        if metrics:
            yield {
                "task": {"type": name, "name": _plain(each["suite"])},
                "dataset": {"type": re.sub(r"[^\w.-]+", "-", task), "name": task},
                "metrics": metrics,
            }


def _embeds(entry: "tuple[TextRole | None, EncoderSettings]") -> str:
    role, settings = entry
    head = "" if settings.head_activation is None else ", then a linear layer and its activation"
    prompts = ", ".join(
        f"{exact(prompt)} ({escaped(name)})" for name, prompt in settings.prompts.items() if prompt
    )
    rows = {
        "pooling": settings.pooling + head,
        "similarity": settings.similarity + (", of unit vectors" if settings.normalize else ""),
        "tokens": f"{settings.max_length}"
        + (f", of a question {settings.query_max_length}" if settings.query_max_length else ""),
        "title and text of a passage": code(settings.passage_format),
        "prompts": prompts or "none",
    }
    return _table([role or "", "value"], rows.items())


def _training(facts: CardFacts) -> Iterator[str]:
    examples = "" if facts.examples is None else f" on {facts.examples:,} examples"
    preset = f", with the settings {code(facts.preset)}" if facts.preset else ""
    base = escaped(facts.base_model or "an unknown model")
    if facts.passage_model:
        base += f" (questions) and {escaped(facts.passage_model)} (passages)"
    precision = f", in {escaped(facts.precision)}" if facts.precision else ""
    processes = (
        f"{',' if not precision else ''} by {facts.processes} processes" if (facts.processes or 1) > 1 else ""
    )
    step = f": {facts.anchors:,} anchors a step" if facts.anchors else ""
    yield f"From {base}{examples}{preset}{precision}{processes}{step}."
    if facts.files:
        rows = [
            (escaped(each["purpose"]), code(each["name"]), code(each["sha256"] or "–"))
            for each in facts.files
        ]
        yield _table(["for", "file", "SHA-256"], rows)
    if facts.settings:
        others = ", ".join(
            f"{code(name)} {escaped(json.dumps(value))}" for name, value in facts.settings.items()
        )
        yield f"Settings other than {'those of the preset' if facts.preset else 'the defaults'}: {others}."


def _results(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = []
    for each in results:
        for metric, value in _shown(each["metrics"]):
            ends = [each["metrics"].get(f"{metric}_{end}") for end in ("low", "high")]
            interval = "" if None in ends else f"{_number(ends[0])} to {_number(ends[1])}"
            rows.append(
                (escaped(each["suite"]), escaped(each["task"]), code(metric), _number(value), interval)
            )
    yield _table(["suite", "task", "metric", "value", "95 % interval"], rows)
    made: dict[str, list[str]] = {}
    for each in results:
        policy = "; ".join(f"{name}: {value}" for name, value in each["policy"].items())
        versions = ", ".join(f"{name} {value}" for name, value in each["versions"].items())
        task = f"{escaped(each['suite'])}/{escaped(each['task'])} (data {code((each['data_sha256'] or '–')[:12])})"
        made.setdefault(f"{escaped(policy)}. With {escaped(versions)}.", []).append(task)
    yield "How they were made:"
    yield "\n".join(f"* {', '.join(tasks)}: {how}" for how, tasks in made.items())


def _shown(metrics: Mapping[str, Any]) -> Iterator[tuple[str, int | float | None]]:
    """Numbers, without the ends of intervals."""
    for name, value in metrics.items():
        if not isinstance(value, list) and name.removesuffix("_low").removesuffix("_high") not in set(
            metrics
        ) - {name}:
            yield name, value


def _number(value: float | None) -> str:
    if value is None:
        return "undefined"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2f}" if abs(value) > 1 else f"{value:.4f}"


def _table(columns: Sequence[str], rows: "Iterator[Sequence[str]] | Any") -> str:  # noqa: ANN401  (rows of strings)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _marked(text: str) -> str:
    return text + MARK.format(sha256(text.encode()).hexdigest())


def _require_own(file: Path) -> None:
    """Nobody's own words are overwritten, nor changes to ours."""
    if not file.exists():
        return
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError:
        text = ""
    lines = text.splitlines(keepends=True)
    if not lines or text != _marked("".join(lines[:-1])):
        raise InputError("was not written by ctl, or was changed since: move it away, or leave it", path=file)
