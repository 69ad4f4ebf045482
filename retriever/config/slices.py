"""``ctl eval slices``."""

from dataclasses import dataclass

from retriever.choices import SearchMode
from retriever.config.retrieval import PolicyConfig, QuestionsConfig
from retriever.config.search import SearchedIndexConfig
from retriever.errors import InputError
from retriever.settings import setting


@dataclass(frozen=True, kw_only=True)
class EvalSlicesConfig(SearchedIndexConfig, QuestionsConfig, PolicyConfig):
    """Slices of a retrieval evaluation"""

    against: SearchMode | None = setting(
        "Another mode of the same index: which questions one of the two answers and the other does not.",
        default=None,
    )
    k: int = setting("A question is answered by the first k passages.", default=20, at_least=1)
    bins: int = setting("Bins of lengths and of overlap.", default=4, source="quartiles", at_least=1)
    least: int = setting(
        "Questions in a group; smaller groups are merged.",
        default=30,
        source="below, an interval says little",
        at_least=1,
    )
    examples: int = setting("Questions shown of each side, with --against.", default=5, at_least=0)

    def modes(self) -> tuple[SearchMode, ...]:
        """The mode, and the other one."""
        return (self.mode,) if self.against is None else (self.mode, self.against)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.against == self.mode:
            raise InputError(f"against must be another mode than --mode {self.mode}")
