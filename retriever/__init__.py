"""ctl, contrastive text learning: train sentence encoders and dual encoders, index passages, search and evaluate.

The names below load on first use, so that ``import retriever`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retriever.encoding.dual_encoder import DualEncoder
    from retriever.encoding.encoder import Encoder
    from retriever.errors import InputError
    from retriever.evaluation.retrieval import evaluate_retrieval
    from retriever.evaluation.sts import evaluate_sts
    from retriever.evaluation.transfer import evaluate_transfer
    from retriever.search.open import open_searcher

__all__ = [
    "DualEncoder",
    "Encoder",
    "InputError",
    "evaluate_retrieval",
    "evaluate_sts",
    "evaluate_transfer",
    "open_searcher",
]

_MODULE_OF = {
    "DualEncoder": "retriever.encoding.dual_encoder",
    "Encoder": "retriever.encoding.encoder",
    "InputError": "retriever.errors",
    "evaluate_retrieval": "retriever.evaluation.retrieval",
    "evaluate_sts": "retriever.evaluation.sts",
    "evaluate_transfer": "retriever.evaluation.transfer",
    "open_searcher": "retriever.search.open",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  (PEP 562: the type is that of whichever object is asked for)
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'retriever' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)
