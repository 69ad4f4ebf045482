"""The encoder that a command evaluates, and what its results say of it."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retriever.config.evaluation import EvalStsConfig, EvalTransferConfig
    from retriever.config.geometry import EvalGeometryConfig
    from retriever.encoding.encoder import Encoder

logger = logging.getLogger(__name__)


def load_encoder(config: "EvalStsConfig | EvalTransferConfig | EvalGeometryConfig", name: str) -> "Encoder":
    """Load a model as the settings say, and say what it is."""
    from retriever.encoding.encoder import Encoder

    model = Encoder.load(
        name,
        pooling=config.pooling,
        max_length=config.max_length,
        device=config.device,
        precision=config.precision,
    )
    logger.info("%s", model.describe())
    return model


def about(model: "Encoder") -> dict[str, object]:
    """What results say of the model that they are of."""
    return {"name": model.name, "fingerprint": model.fingerprint, "description": model.describe()}
