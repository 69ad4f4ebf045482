from retriever.data.batched import batched
from retriever.records import Query


def test_batches_hold_every_question_once_and_in_order():
    queries = [Query(str(number), "q") for number in range(7)]
    assert [len(batch) for batch in batched(queries, 3)] == [3, 3, 1]
    assert [query for batch in batched(queries, 3) for query in batch] == queries


def test_a_batch_of_one_does_not_wait_for_the_next_question():
    asked = []

    def questions():
        for number in range(2):
            asked.append(number)
            yield Query(str(number), "q")

    next(batched(questions(), 1))
    assert asked == [0]
