from dataclasses import replace

import pytest
import torch

from retriever.encoding.encoder import Encoder
from retriever.errors import InputError
from retriever.records import DprExample, Passage, Query, SimcseExample
from retriever.training.batches import (
    Negatives,
    Ragged,
    Sampler,
    TokenBatch,
    TrainingSet,
)
from retriever.training.dpr import dpr_training_set
from retriever.training.simcse import simcse_training_set


def training_set(encoder: Encoder, count: int = 10) -> TrainingSet:
    words = ["cat", "dog", "car", "river", "moon", "snow", "tree", "king", "soup", "star", "sun", "bird"]
    examples = [
        SimcseExample(words[i], f"the {words[i]}", (f"a {words[i]}", f"my {words[i]}")) for i in range(count)
    ]
    return simcse_training_set(examples, encoder, max_length=8)


def sampler(found: TrainingSet, seed: int = 1, batch_size: int = 4, **options: object) -> Sampler:
    return Sampler(
        found, **{"batch_size": batch_size, "seed": seed, "negatives": Negatives(hard=1), **options}
    )


def batches(found: TrainingSet, epoch: int, seed: int = 1, **options: object) -> list[TokenBatch]:
    drawn = sampler(found, seed, **options)
    first = epoch * drawn.steps_per_epoch
    return [drawn.batch(step) for step in range(first, first + drawn.steps_per_epoch)]


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
    own = {int(found.positive[row]): set(hard_negatives_of(found, row)) for row in range(len(found))}
    drawn: dict[int, set[int]] = {}
    for epoch in range(12):
        for batch in batches(found, epoch):
            for positive, (hard,) in zip(
                batch.positive_id.tolist(), batch.hard_negative_id.tolist(), strict=True
            ):
                assert hard in own[positive]
                drawn.setdefault(positive, set()).add(hard)
    assert all(drawn[positive] == own[positive] for positive in own)


def test_hardest_first_goes_down_each_list_by_the_epoch(encoder: Encoder) -> None:
    found = training_set(encoder)
    own = {int(found.positive[row]): hard_negatives_of(found, row) for row in range(len(found))}
    for epoch in range(4):
        for batch in batches(found, epoch, negatives=Negatives(hard=1, hardest_first=True)):
            for positive, (hard,) in zip(
                batch.positive_id.tolist(), batch.hard_negative_id.tolist(), strict=True
            ):
                assert hard == own[positive][epoch % 2]


def hard_negatives_of(found: TrainingSet, row: int) -> list[int]:
    return found.hard_negatives.rows[
        found.hard_negatives.offsets[row] : found.hard_negatives.offsets[row + 1]
    ].tolist()


def test_every_negative_of_an_example_comes_once_before_one_comes_twice() -> None:
    lists = Ragged.of([[10, 11, 12, 13, 14], [], [20, 21]]).shuffled(3)
    rows = torch.tensor([0, 1, 2])
    taken = torch.stack([lists.take(rows, 2, turn) for turn in range(5)])  # (5, 3, 2)
    assert sorted(taken[:, 0].flatten().tolist()) == sorted([10, 11, 12, 13, 14] * 2)
    assert (taken[:, 1] == -1).all()
    assert all(sorted(each.tolist()) == [20, 21] for each in taken[:, 2])
    assert lists.take(rows, 3, 0)[2, 2] == -1  # never the same one twice in a row of slots
    assert lists.take(rows, 0, 0).shape == (3, 0)


def test_each_list_is_shuffled_in_itself_and_by_the_seed_alone() -> None:
    lists = Ragged.of([list(range(20)), list(range(100, 120))])
    first, second = lists.shuffled(1), lists.shuffled(1)
    assert torch.equal(first.rows, second.rows)
    assert not torch.equal(first.rows, lists.shuffled(2).rows)
    assert sorted(first.rows[:20].tolist()) == list(range(20)) != first.rows[:20].tolist()
    assert sorted(first.rows[20:].tolist()) == list(range(100, 120))


def test_any_step_can_be_had_without_those_before_it(encoder: Encoder) -> None:
    found = training_set(encoder)
    one = sampler(found)
    in_order = [one.batch(step) for step in range(7)]
    for step in (6, 0, 3):
        fresh = sampler(found).batch(step)
        assert torch.equal(fresh.positive_id, in_order[step].positive_id)
        assert torch.equal(fresh.hard_negative_id, in_order[step].hard_negative_id)


def test_processes_share_out_what_one_process_would_take(encoder: Encoder) -> None:
    found = training_set(encoder)
    whole = sampler(found, batch_size=4)
    shares = [sampler(found, batch_size=2, rank=rank, world_size=2) for rank in range(2)]
    assert {each.steps_per_epoch for each in (whole, *shares)} == {2}
    for step in range(4):
        together = torch.cat([each.batch(step).positive_id for each in shares])
        assert torch.equal(together, whole.batch(step).positive_id)


def test_with_rates_each_batch_is_of_one_part_and_parts_come_as_often_as_asked(encoder: Encoder) -> None:
    found = replace(training_set(encoder), parts=[4, 6])
    drawn = sampler(found, batch_size=2, rates=[2.0, 0.5])
    assert drawn.steps_per_epoch == 4 + 1
    row_of = {int(positive): row for row, positive in enumerate(found.positive)}
    counts = [0, 0]
    for step in range(5):
        parts = {int(row_of[int(each)] >= 4) for each in drawn.batch(step).positive_id}
        assert len(parts) == 1
        counts[parts.pop()] += 1
    assert counts == [4, 1]


def hard_negatives_by_positive(drawn: Sampler, *, epochs: int) -> dict[int, list[int]]:
    taken: dict[int, list[int]] = {}
    for step in range(epochs * drawn.steps_per_epoch):
        batch = drawn.batch(step)
        for positive, (hard,) in zip(
            batch.positive_id.tolist(), batch.hard_negative_id.tolist(), strict=True
        ):
            taken.setdefault(positive, []).append(hard)
    return taken


def test_a_part_gone_through_several_times_an_epoch_takes_other_negatives_each_time(encoder: Encoder) -> None:
    found = replace(training_set(encoder), parts=[4, 6])
    drawn = sampler(found, batch_size=4, rates=[2.0, 1.0])
    taken = hard_negatives_by_positive(drawn, epochs=2)
    for row in range(4):
        own = taken[int(found.positive[row])]
        assert len(own) == 4
        assert sorted(own) == sorted(2 * hard_negatives_of(found, row))
        assert own[0] != own[1] and own[2] != own[3]


def test_a_fractional_rate_goes_through_a_part_evenly_and_skips_no_negative(encoder: Encoder) -> None:
    found = replace(training_set(encoder), parts=[8, 2])
    drawn = sampler(found, batch_size=2, rates=[1.5, 1.0])
    taken = hard_negatives_by_positive(drawn, epochs=4)
    for row in range(8):
        own = taken[int(found.positive[row])]
        assert len(own) == 6  # 1.5 times in each of four epochs
        assert sorted(own) == sorted(3 * hard_negatives_of(found, row))


def test_the_fingerprint_is_of_all_that_makes_a_batch(encoder: Encoder) -> None:
    found = training_set(encoder)
    others = [
        replace(found, parts=[4, 6]),
        replace(found, known_positives=Ragged.of([[row, row + 1] for row in range(len(found.anchors))])),
        replace(found, hard_negatives=found.other_negatives),
        replace(found, positive=found.positive.flip(0)),
    ]
    assert replace(found).fingerprint == found.fingerprint
    assert len({found.fingerprint, *(each.fingerprint for each in others)}) == 5


def test_a_part_that_fills_no_batch_is_an_error_and_not_left_out(encoder: Encoder) -> None:
    found = replace(training_set(encoder), parts=[8, 2])
    with pytest.raises(InputError) as error:
        sampler(found, batch_size=4, rates=[1.0, 1.0])
    assert str(error.value) == (
        "2 training examples of --train file 2 at rate 1 do not fill one batch of 4: lower --batch-size"
    )
    with pytest.raises(InputError):
        sampler(found, batch_size=4, rates=[0.01, 2.0])


def test_gold_negatives_are_positives_of_other_examples(encoder: Encoder) -> None:
    found = training_set(encoder)
    drawn = sampler(found, negatives=Negatives(hard=1, gold=2))
    positives, shifts = set(found.positive.tolist()), set()
    for step in range(12):
        batch = drawn.batch(step)
        assert batch.hard_negative_id.shape == (4, 3)
        assert len(batch.hard_negative) == 12
        for own, gold in zip(batch.positive_id.tolist(), batch.hard_negative_id[:, 1:].tolist(), strict=True):
            assert own not in gold
            assert len(set(gold)) == 2
            assert set(gold) <= positives
        shifts.add(tuple(batch.hard_negative_id[0].tolist()))
    assert len(shifts) > 2


def test_other_negatives_come_after_the_hard_ones_with_their_own_places(encoder: Encoder) -> None:
    """The original's bookkeeping of hard negatives went wrong as soon as there were other negatives (methods, bug g)."""
    found = training_set(encoder)
    other = Ragged.of([[int(found.positive[(row + 1) % 10])] for row in range(10)])
    batch = sampler(replace(found, other_negatives=other), negatives=Negatives(hard=2, other=1)).batch(0)
    assert batch.hard_negative_id.shape == (4, 3)
    row_of = {int(positive): row for row, positive in enumerate(found.positive)}
    for place, own in enumerate(batch.positive_id.tolist()):
        row = row_of[own]
        assert set(batch.hard_negative_id[place, :2].tolist()) == set(hard_negatives_of(found, row))
        assert batch.hard_negative_id[place, 2] == found.positive[(row + 1) % 10]
    ids = batch.hard_negative_id.flatten()
    assert torch.equal(batch.hard_negative.ids, found.passages.select(ids).ids)


def test_an_example_with_fewer_hard_negatives_leaves_its_slot_empty(encoder: Encoder) -> None:
    examples = [SimcseExample("cat", "the cat", ("a dog",)), SimcseExample("snow", "the snow")]
    found = simcse_training_set(examples, encoder, max_length=8)
    (batch,) = batches(found, 0, batch_size=2)
    assert sorted(batch.hard_negative_id.flatten().tolist()) == [-1, 2]
    assert len(batch.hard_negative) == 1


def test_the_same_sentence_is_the_same_id_and_an_anchors_positives_are_all_known(encoder: Encoder) -> None:
    examples = [
        SimcseExample("cat", "the cat"),
        SimcseExample("cat", "a cat"),
        SimcseExample("dog", "the cat"),
    ]
    found = simcse_training_set(examples, encoder, max_length=8)
    assert found.positive[0] == found.positive[2]
    assert found.known_positives.padded(found.anchor).tolist() == [[0, 1, 2], [0, 1, 2], [1, 3, -1]]


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
    found = dpr_training_set([examples], model)
    assert found.positive.tolist() == [0, 1]
    assert found.known_positives.padded(found.anchor).tolist() == [[0, 1], [1, -1]]
    assert [hard_negatives_of(found, row) for row in range(2)] == [[], [0]]
    assert len(found.passages) == 2


def test_what_the_encoder_cannot_tell_apart_is_no_negative(model_folder) -> None:
    """Copies under titles that the format leaves out, other case, and texts that are the same up to where they are cut."""
    from retriever.encoding.dual_encoder import DualEncoder

    encoder = DualEncoder.load(
        model_folder, passage_format="{text}", max_length=6, device="cpu", precision="fp32"
    )
    examples = [
        DprExample(Query("q1", "Cat ?"), (Passage("1", "the cat", "Cats"),), ()),
        DprExample(Query("q2", "dog ?"), (Passage("2", "The cat", "Pets"),), (Passage("3", "the dog"),)),
        DprExample(Query("q3", "cat ?"), (Passage("4", "the cat sat on the mat"),), ()),
        DprExample(Query("q4", "snow ?"), (Passage("5", "the cat sat on snow"),), ()),
    ]
    found = dpr_training_set([examples], encoder)
    first, second, third, fourth = found.positive.tolist()
    assert (first, third) == (second, fourth)
    assert first != third
    assert found.anchor[0] == found.anchor[2] != found.anchor[1]
    assert set(found.known_positives.padded(found.anchor[:1])[0].tolist()) == {first, third}

    sentences = [SimcseExample("The cat"), SimcseExample("the cat"), SimcseExample("a dog")]
    rows = simcse_training_set(sentences, encoder.query, max_length=8).positive.tolist()
    assert rows[0] == rows[1] != rows[2]


def test_fewer_examples_than_one_batch_are_an_error(encoder: Encoder) -> None:
    with pytest.raises(InputError) as error:
        sampler(training_set(encoder, 10), batch_size=11)
    assert str(error.value) == "10 training examples do not fill one batch of 11: lower --batch-size"
    with pytest.raises(InputError) as error:
        sampler(training_set(encoder, 10), batch_size=6, world_size=2)
    assert str(error.value) == (
        "10 training examples do not fill one batch of 12 of 2 processes: lower --batch-size"
    )


def test_lists_are_grouped_and_padded_with_minus_one() -> None:
    found = Ragged.grouped(torch.tensor([0, 3, 0, 0, 3]), torch.tensor([5, 6, 7, 5, 6]), count=4)
    assert found.padded(torch.tensor([0, 1, 3])).tolist() == [[5, 7], [-1, -1], [6, -1]]
    assert found.padded(torch.tensor([2])).tolist() == [[-1]]
    assert Ragged.of([[], []]).padded(torch.tensor([0, 1])).tolist() == [[-1], [-1]]
