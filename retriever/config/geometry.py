"""``ctl eval geometry``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.config.groups import EncoderConfig
from retriever.config.results import ResultFolderConfig
from retriever.errors import InputError
from retriever.settings import setting


@dataclass(frozen=True, kw_only=True)
class EvalGeometryConfig(ResultFolderConfig, EncoderConfig):
    """Geometry of embeddings"""

    sts: Path | None = setting(
        "STS file, or folder, of which all files are read (train, dev and test are the whole STS benchmark): alignment is of its "
        "pairs with a score above 4; the rest is of its sentences, unless others are named.",
        default=None,
    )
    sentences: Path | None = setting("Sentences: a .txt file, or one column of a table.", default=None)
    passages: Path | None = setting(
        "Passages, embedded as such, with their titles (pairs of --sts, too).", default=None
    )
    model: tuple[str, ...] = setting(  # type: ignore[assignment]  # one elsewhere, here several
        "The encoder: a run directory, a model folder, a Hugging Face name, or packaged:NAME; may be repeated, for a table of "
        "several side by side."
    )
    max_length: int | None = setting(
        "Tokens per text.", default=None, source="what the model folder declares", at_least=3
    )
    sample: int = setting(
        "Measure so many texts, drawn at random where there are more; time grows with their square. Pairs are not drawn.",
        default=20_000,
        source="all 17,256 sentences of the STS benchmark, as in SimCSE",
        at_least=2,
    )
    seed: int = setting("Seed of the sample.", default=0, at_least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sentences is not None and self.passages is not None:
            raise InputError("sentences and passages are measured one by one: leave one out")
        if self.sts is None and self.sentences is None and self.passages is None:
            raise InputError("geometry needs texts: name --sts, --sentences or --passages")
        for place, name in enumerate(self.model or ()):
            if name in self.model[:place]:
                raise InputError(f"model '{name}' is named twice")
        if self.output is not None and len(self.model or ()) > 1:
            raise InputError(
                f"output is a folder of results of one model, and {len(self.model)} are named: one command, and folder, each"
            )
