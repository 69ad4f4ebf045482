from question_files import Limits, choose, list_sentences, make_files, package_of, split_of
from question_pairs import QuestionPair

PACKAGES = ("numpy", "torch", "sklearn", "pandas")  # train, train, dev, test
LIMITS = Limits(passages=16, train_questions=7, dev_questions=3, test_questions=5, sentences=20)


def test_a_larger_limit_only_adds():
    pairs = [QuestionPair(f"p.f{number}", "", "") for number in range(50)]
    assert choose(pairs, 20) == choose(reversed(pairs), 30)[:20]
    assert choose(pairs, 20) != pairs[:20]
    assert len(choose(pairs, None)) == 50


def test_every_package_has_one_split_and_the_hash_knows_all_three():
    assert (split_of("torch"), split_of("sklearn"), split_of("pandas")) == ("train", "dev", "test")
    # The last digit of int(sha256(name)): email 0, logging 2, json 6.
    assert {name: split_of(name) for name in ("email", "logging", "json")} == {
        "email": "test",
        "logging": "dev",
        "json": "train",
    }
    assert package_of(QuestionPair("json.decoder.JSONDecoder", "", "")) == "json"


def test_sentences_with_code_parameters_or_few_words_are_left_out():
    text = (
        "Reads the whole file into memory. Too short. Parameters path is where the file lies. "
        "The mode : str is given. It is called as >>> read it again. reads the whole FILE into memory."
    )
    assert list_sentences([QuestionPair("a", "Read all of a file.", text)], None) == [
        "Read all of a file.",
        "Reads the whole file into memory.",
    ]


def test_the_limits_hold():
    pairs = [QuestionPair(f"{package}.f{number}", "", "") for package in PACKAGES for number in range(50)]
    files = make_files(pairs, LIMITS)
    lines = {name: len(each) for name, each in files.items() if "sentences" not in name}
    assert lines == {
        "passages.jsonl": 200,
        "train_passages.jsonl": 7,
        "dev_passages.jsonl": 50,
        "train_dev_passages.jsonl": 57,
        "test_passages.jsonl": 16,
        "train_questions.jsonl": 7,
        "dev_questions.jsonl": 3,
        "test_questions.jsonl": 5,
    }
