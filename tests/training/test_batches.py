import pytest
import torch

from retriever.encoding.encoder import Encoder
from retriever.errors import InputError
from retriever.records import DprExample, Passage, Query, SimcseExample
from retriever.training.batches import TrainingSet, known_positives, padded_rows
from retriever.training.dpr import dpr_training_set
from retriever.training.simcse import simcse_training_set


def training_set(encoder: Encoder, count: int = 10) -> TrainingSet:
    words = ["cat", "dog", "car", "river", "moon", "snow", "tree", "king", "soup", "star", "sun", "bird"]
    examples = [
        SimcseExample(words[i], f"the {words[i]}", (f"a {words[i]}", f"my {words[i]}")) for i in range(count)
    ]
    return simcse_training_set(examples, encoder, max_length=8)


def batches(found: TrainingSet, epoch: int, seed: int = 1) -> list:
    return list(found.epoch(epoch, seed=seed, batch_size=4, num_hard_negatives=1))


def test_an_epoch_takes_every_example_once_and_drops_the_ragged_rest(encoder: Encoder) -> None:
    found = training_set(encoder)
    seen = [row for batch in batches(found, 0) for row in batch.positive_id.tolist()]
    assert len(seen) == 8 == len(set(seen))


def test_order_depends_on_seed_and_epoch_alone(encoder: Encoder) -> None:
    found = training_set(encoder)

    def order(epoch: int, seed: int) -> list:
        return [(b.positive_id.tolist(), b.hard_negative_id.tolist()) for b in batches(found, epoch, seed)]

    torch.manual_seed(5)
    first = order(0, 1)
    torch.manual_seed(6)
    assert order(0, 1) == first
    assert order(1, 1) != first
    assert order(0, 2) != first


def test_hard_negatives_are_drawn_from_the_examples_own_and_change_with_the_epoch(encoder: Encoder) -> None:
    found = training_set(encoder)
    own = {int(found.positive[row]): set(found.hard_negatives[row]) for row in range(len(found))}
    drawn: dict[int, set[int]] = {}
    for epoch in range(12):
        for batch in batches(found, epoch):
            for positive, (hard,) in zip(
                batch.positive_id.tolist(), batch.hard_negative_id.tolist(), strict=True
            ):
                assert hard in own[positive]
                drawn.setdefault(positive, set()).add(hard)
    assert all(drawn[positive] == own[positive] for positive in own)


def test_an_example_with_fewer_hard_negatives_leaves_its_slot_empty(encoder: Encoder) -> None:
    examples = [SimcseExample("cat", "the cat", ("a dog",)), SimcseExample("snow", "the snow")]
    found = simcse_training_set(examples, encoder, max_length=8)
    (batch,) = found.epoch(0, seed=0, batch_size=2, num_hard_negatives=1)
    assert sorted(batch.hard_negative_id.flatten().tolist()) == [-1, 4]
    assert len(batch.hard_negative) == 1


def test_the_same_sentence_is_the_same_id_and_an_anchors_positives_are_all_known(encoder: Encoder) -> None:
    examples = [
        SimcseExample("cat", "the cat"),
        SimcseExample("cat", "a cat"),
        SimcseExample("dog", "the cat"),
    ]
    found = simcse_training_set(examples, encoder, max_length=8)
    assert found.positive[0] == found.positive[2]
    assert found.known_positives.tolist() == [[2, 0, 3], [2, 0, 3], [2, 1, -1]]


def test_unsupervised_the_positive_is_the_anchor(encoder: Encoder) -> None:
    found = simcse_training_set([SimcseExample("cat"), SimcseExample("dog")], encoder, max_length=8)
    assert torch.equal(found.anchor, found.positive)


def test_simcse_trains_on_shorter_texts_than_the_model_embeds(encoder: Encoder) -> None:
    found = simcse_training_set([SimcseExample("the cat sat on the mat")], encoder, max_length=5)
    assert found.anchors.lengths.tolist() == [5]
    assert encoder.settings.max_length == 32


def test_passages_are_the_same_by_content_and_the_first_positive_is_trained_towards(model_folder) -> None:
    from retriever.encoding.dual_encoder import DualEncoder

    model = DualEncoder.load(model_folder, device="cpu", precision="fp32")
    cat, same, dog = Passage("1", "the cat", "t"), Passage("2", "the cat", "t"), Passage("3", "the dog")
    examples = [
        DprExample(Query("q1", "cat ?"), (cat, dog), ()),
        DprExample(Query("q2", "dog ?"), (dog,), (same,)),
    ]
    found = dpr_training_set(examples, model)
    assert found.positive.tolist() == [0, 1]
    assert found.known_positives.tolist() == [[0, 1], [1, -1]]
    assert found.hard_negatives == [(), (0,)]
    assert len(found.passages) == 2


def test_fewer_examples_than_one_batch_are_an_error(encoder: Encoder) -> None:
    with pytest.raises(InputError) as error:
        training_set(encoder, 10).steps_per_epoch(11)
    assert str(error.value) == "10 training examples do not fill one batch of 11: lower --batch-size"


def test_rows_are_padded_with_minus_one() -> None:
    assert padded_rows([[1, 2], [], [3]]).tolist() == [[1, 2], [-1, -1], [3, -1]]
    assert padded_rows([[], []]).tolist() == [[-1], [-1]]
    assert known_positives([0, 1, 0], [[5], [6], [7]]).tolist() == [[5, 7], [6, -1], [5, 7]]
