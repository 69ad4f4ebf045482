import pytest
import torch

from retriever.encoding.dual_encoder import DualEncoder
from retriever.encoding.model_folder import EncoderSettings
from retriever.records import SimcseExample
from retriever.training.batches import Negatives, Sampler
from retriever.training.embedder import Embedder
from retriever.training.simcse import simcse_training_set
from tests.tiny import tiny_encoder


@pytest.mark.parametrize("shared", [True, False])
def test_each_text_is_embedded_by_its_encoder_and_hard_negatives_land_in_their_slots(
    plain_folder, shared
) -> None:
    settings = EncoderSettings(pooling="mean", max_length=16)
    query = tiny_encoder(plain_folder, settings).eval()
    passage = query if shared else tiny_encoder(plain_folder, settings).eval()
    if not shared:
        next(passage.parameters()).data.mul_(2)
    examples = [
        SimcseExample("cat", "the cat", ("a dog", "snow")),
        SimcseExample("moon", "the moon"),
        SimcseExample("king", "the king", ("piano",)),
    ]
    found = simcse_training_set(examples, query, max_length=8)
    batch = Sampler(found, batch_size=3, seed=0, negatives=Negatives(hard=2)).batch(0)
    rows = [int((found.positive == each).nonzero()) for each in batch.positive_id]
    with torch.no_grad():
        embedded = Embedder(DualEncoder(query, passage)).eval()(batch)
        table = passage(found.passages)
    assert torch.allclose(embedded.anchor, query(found.anchors)[found.anchor[rows]], atol=1e-5)
    assert torch.allclose(embedded.positive, table[found.positive[rows]], atol=1e-5)
    assert embedded.hard_negative.shape == (3, 2, 32)
    for row in range(3):
        for slot, id in enumerate(batch.hard_negative_id[row].tolist()):
            expected = torch.zeros(32) if id == -1 else table[id]
            assert torch.allclose(embedded.hard_negative[row, slot], expected, atol=1e-5)
