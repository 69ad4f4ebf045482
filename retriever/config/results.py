"""Where ``ctl eval`` keeps results."""

from dataclasses import dataclass
from pathlib import Path

from retriever.errors import InputError
from retriever.settings import Config, setting

INTERVALS = "95 %, percentile bootstrap"
"""What stands in a policy, of any suite."""


@dataclass(frozen=True, kw_only=True)
class ResultFolderConfig(Config):
    """Results"""

    output: Path | None = setting(
        "Keep the results in this folder, beside those of other tasks and suites of the same model: results.json, and every item's own "
        "values, for ctl compare. What is there already, by the same policy and of the same data, is not computed again.",
        default=None,
        source="printed only",
    )
    replace: bool = setting(
        "Evaluate what is in --output already again, and replace it.",
        default=False,
        flags="--replace/--no-replace",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.replace and self.output is None:
            raise InputError("replace needs --output, the folder in which results are replaced")
