"""``ctl mine``."""

from dataclasses import dataclass
from pathlib import Path

from retriever.settings import Config, setting


@dataclass(frozen=True, kw_only=True)
class MineConfig(Config):
    """Mining"""

    questions: Path = setting("Questions with answers or positive_passage_id, or DPR training JSON or JSONL.")
    passages: Path = setting("The corpus to mine from.")
    output: Path = setting("DPR JSONL to write: the questions with their positives and hard negatives.")
    depth: int = setting(
        "Passages taken from the search before filtering.", default=100, source="DPR section 3", at_least=1
    )
    num_hard_negatives: int = setting(
        "Hard negatives kept per question.", default=1, source="DPR, table 3", at_least=1
    )
