import pytest
from hypothesis import given
from hypothesis import strategies as st
from question_pairs import (
    QuestionPair,
    clean_line,
    cut_passage,
    drop_near_duplicates,
    drop_repeated_questions,
    is_prose,
    jaccard,
    make_pair,
    normalise,
    shingles,
    split_docstring,
    split_sentences,
)

BODY = "The file is read in blocks, so that memory stays small even when it is larger than there is room for."


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  See   :func:`~numpy.linalg.norm`  for more ", "See numpy.linalg.norm for more"),
        (":ref:`the guide <guide-1>` tells", "the guide tells"),
        ("Uses [`~Trainer`] and [`Cache`](../cache)", "Uses Trainer and Cache"),
        ("``None`` or `x`, *optional*, **never** both", "None or x, optional, never both"),
        ("x ** 2 * y", "x ** 2 * y"),
        ("----------", ""),
        ("```", ""),
        (".. versionadded:: 1.2", ""),
        (".. warning:: slow", ".. warning:: slow"),
        (">>> f(1)", ">>> f(1)"),
    ],
)
def test_markup_is_taken_out_of_a_line(line, expected):
    assert clean_line(line) == expected


@pytest.mark.parametrize(
    ("docstring", "summary", "body"),
    [
        ("Read a file.", "Read a file.", []),
        ("\n    Read a file.\n\n    In blocks.\n    ", "Read a file.", ["In blocks."]),
        ("Read a file. In blocks.\n\nSlow.", "Read a file.", ["In blocks.", "Slow."]),
        ("Read a file that is\nlarge. In\nblocks.", "Read a file that is large.", ["In blocks."]),
        ("Read e.g. a file, i.e. X.", "Read e.g. a file, i.e. X.", []),
        ("Read, as on Pg. 165 of the book. Slow.", "Read, as on Pg. 165 of the book.", ["Slow."]),
        ("Version 1.5 of it (old.) New", "Version 1.5 of it (old.)", ["New"]),
        ("No full stop\nin two lines\n\nBody", "No full stop in two lines", ["Body"]),
        ("f(x, y=1) -> int\n\nAdd two numbers.\n\nBody", "Add two numbers.", ["Body"]),
        ("Add numbers\nParameters\n----------\nx : int", "Add numbers", ["Parameters", "x : int"]),
        ("Add numbers\n:param x: one", "Add numbers", [":param x: one"]),
        ("Add numbers\n>>> add(1)", "Add numbers", [">>> add(1)"]),
        ("", "", []),
    ],
)
def test_the_summary_is_the_first_sentence_and_the_body_the_rest(docstring, summary, body):
    assert split_docstring(docstring) == (summary, body)


def test_a_short_passage_is_whole():
    assert cut_passage(["one two", "three"], max_words=3, min_words=1) == "one two three"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a b. C d. E f g h i"], "a b. C d."),  # the last sentence end within 6 words
        (["a b c", "d e", "f g h"], "a b c d e"),  # no sentence end: the last line end
        (["a b c d e f g h"], "a b c d e f"),  # neither
        (["a. B c d e f g h"], "a. B c d e f"),  # a sentence end that keeps too little
        (["a b c d e f.", "G h"], "a b c d e f."),  # the limit itself
    ],
)
def test_a_long_passage_ends_at_a_sentence_or_a_line(lines, expected):
    assert cut_passage(lines, max_words=6, min_words=3) == expected


@given(st.lists(st.lists(st.sampled_from(["a", "b.", "C", "(d.)", "e.g."]), min_size=1).map(" ".join)))
def test_a_passage_is_a_beginning_of_at_most_100_words(lines):
    words = " ".join(lines).split()
    kept = cut_passage(lines).split()
    assert kept == words[: len(kept)]
    assert len(kept) == len(words) if len(words) <= 100 else 50 <= len(kept) <= 100


def test_sentences_end_at_full_stops_but_not_in_abbreviations():
    assert split_sentences("Use e.g. this. Then (that!) Version 1.5 works? Yes") == [
        "Use e.g. this.",
        "Then (that!)",
        "Version 1.5 works?",
        "Yes",
    ]


@given(st.text(alphabet="ab.!? )A", max_size=60))
def test_sentences_lose_nothing_but_white_space(text):
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


def test_a_good_docstring_gives_a_question_and_a_passage_without_it():
    pair = make_pair("io.read", f"Read all lines of a file.\n\n    {BODY}")
    assert pair == QuestionPair("io.read", "Read all lines of a file.", BODY)


@pytest.mark.parametrize(
    ("docstring", "reason"),
    [
        (f"Read lines.\n\n{BODY}", "summary too short"),
        (f"{'Read ' * 41}\n\n{BODY}", "summary too long"),
        (f"f(x) + g[y] = h_1 or z_2\n\n{BODY}", "summary is mostly code"),
        (f"See the documentation of other readers.\n\n{BODY}", "summary points elsewhere"),
        (f"Read lines according to the following:\n\n{BODY}", "summary points elsewhere"),
        (f"The method File.read reads all lines.\n\n{BODY}", "summary says its own dotted name"),
        ("Read all lines of a file.", "body too short"),
        ("Read all lines of a file.\n\nIt is read in blocks.", "body too short"),
        ("Read all lines of a file.\n\n" + ">>> read(a, b, c, d, e, f)\n" * 5, "body too short"),
        (
            "Read all lines of a file.\n\nParameters\n----------\n" + "path_1 : Path\nN : int\n" * 4,
            "body is names and types",
        ),
        (f"Read all lines of a file.\n\n{BODY} Deprecated.\n\n.. deprecated:: 2.0", "deprecated"),
        (f"Deprecated, read all lines.\n\n{BODY}", "deprecated"),
        (f"Read all lines of a file.\n\n{BODY} READ all lines, of a file!", "passage repeats the question"),
    ],
)
def test_poor_docstrings_are_named_for_what_they_are(docstring, reason):
    assert make_pair("io.File.read", docstring) == reason


def test_prose_is_six_words_in_ten():
    assert is_prose("six words are plain here now x_1 x_2 x_3 x_4")
    assert not is_prose("five words are plain here x_0 x_1 x_2 x_3 x_4")


def test_normalised_texts_differ_in_words_only():
    assert normalise("  The  FILE, (read)!") == normalise("the file read") == "the file read"


def test_every_pair_whose_question_is_asked_twice_goes():
    pairs = [
        QuestionPair("a", "Read the file.", "x"),
        QuestionPair("b", "Write the file.", "y"),
        QuestionPair("c", "read  the FILE", "z"),
    ]
    assert drop_repeated_questions(pairs) == [pairs[1]]


def test_shingles_are_runs_of_eight_words():
    assert shingles("a b c d e f g h. I") == {"a b c d e f g h", "b c d e f g h i"}
    assert shingles("Short text") == {"short text"}


def test_jaccard_by_hand():
    assert jaccard(frozenset("abc"), frozenset("bcd")) == 2 / 4


def test_of_near_duplicates_the_first_stays():
    words = [f"w{number}" for number in range(60)]
    near = [*words[:-1], "other"]  # 52 of 54 shingles shared: 0.963
    far = [*words[:30], *(f"v{number}" for number in range(30))]  # 23 of 83 shared: 0.277
    pairs = [
        QuestionPair(name, "", " ".join(text)) for name, text in zip("abc", (words, near, far), strict=True)
    ]
    assert [pair.name for pair in drop_near_duplicates(pairs)] == ["a", "c"]


texts = st.lists(st.sampled_from("ab"), min_size=1, max_size=16).map(" ".join)


@given(st.lists(texts, max_size=30), st.sampled_from([0.2, 0.5, 0.7, 0.9]))
def test_near_duplicates_are_those_of_comparing_every_two(texts, max_jaccard):
    pairs = [QuestionPair(str(number), "", text) for number, text in enumerate(texts)]
    kept = []
    for pair in pairs:
        own = shingles(pair.text)
        if all(jaccard(own, shingles(other.text)) <= max_jaccard for other in kept):
            kept.append(pair)
    assert drop_near_duplicates(pairs, max_jaccard) == kept
