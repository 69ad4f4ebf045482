"""A retrieval data set that every machine has: docstrings of Python and of what this project installs.

    python data_scripts/python_docs.py --output data/python-docs [--full]

A docstring's summary is the question; the rest of it is the passage that answers it, at most 100 words,
titled with the dotted name. Sources are parsed, never imported. Training, dev and test are different
packages, so the test asks about libraries that training has not seen. Equal versions and limits give equal
bytes; nothing is downloaded.

The output folder:
    passages.jsonl             every passage: id, title, text
    train_passages.jsonl       training packages: the passages of the training questions
    dev_passages.jsonl         dev packages: what dev questions are ranked against
    train_dev_passages.jsonl   the two together, for training that looks up the positives of both
    test_passages.jsonl        the index to test: test packages first, then others as distractors
    {train,dev,test}_questions.jsonl   id, question, positive_passage_id
    train_sentences.txt        one sentence a line, from training packages, for unsupervised SimCSE
    SOURCE.json                versions, counts, limits, SHA-256; written last: where it is, the set is whole
"""

import argparse
import importlib.metadata
import importlib.util
import platform
import re
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from docstrings import public_docstrings, read_package
from question_files import Limits, make_files, package_of, split_of
from question_pairs import QuestionPair, drop_near_duplicates, drop_repeated_questions, make_pair

from retriever.data.files import atomic_file, file_sha256, read_json, require_new_folder, write_json
from retriever.errors import InputError

# Packages that this project's dependencies bring, with enough prose: a fixed list, so that machines agree.
PACKAGES = tuple(
    "anyio dateutil datasets dill faiss filelock fsspec huggingface_hub hypothesis jinja2 joblib "
    "markdown_it matplotlib mpmath networkx numpy packaging pandas PIL psutil pyarrow pygments pyparsing "
    "rich safetensors scipy sentence_transformers sklearn sortedcontainers sympy tokenizers torch tqdm "
    "transformers typer yaml".split()
)
# Model files of transformers repeat each other, faiss holds one copy of its wrapper per instruction set, and
# the private half of torch costs seconds to parse for nothing.
SKIPPED_MODULES = re.compile(
    r"transformers\.(models|testing_utils)\b|faiss\.swigfaiss_"
    r"|torch\.(_inductor|_dynamo|testing\._internal)\b"
)
# Not prose about an interface, or gone in Python 3.12 or 3.13: the corpus would hang on Python's version.
SKIPPED_STDLIB = frozenset(
    "antigravity ensurepip idlelib pydoc_data this turtledemo "
    "aifc asynchat asyncore cgi cgitb chunk crypt distutils imghdr imp lib2to3 mailcap nntplib pipes smtpd "
    "sndhdr sunau telnetlib uu xdrlib".split()
)
SOURCE = "SOURCE.json"


@dataclass(kw_only=True)
class Corpus:
    """Question pairs sorted by name, and what was left out on the way."""

    pairs: list[QuestionPair] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)  # reason → docstrings
    unreadable_files: int = 0


def standard_library() -> dict[str, Path]:
    """Top-level name → file or folder of the public standard library modules written in Python."""
    root = Path(sysconfig.get_path("stdlib"))
    found = {}
    for name in sorted(sys.stdlib_module_names):
        if name.startswith("_") or name in SKIPPED_STDLIB:
            continue
        for place in (root / f"{name}.py", root / name):
            if place.exists():
                found[name] = place
    return found


def installed_packages(names: Iterable[str]) -> dict[str, Path]:
    """Import name → folder or file, of those that are installed; to find one is not to import it."""
    found = {}
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            found[name] = Path(next(iter(spec.submodule_search_locations)))
        elif spec is not None and spec.origin and spec.origin.endswith(".py"):
            found[name] = Path(spec.origin)
    return found


def collect(locations: Mapping[str, Path]) -> Corpus:
    """Question pairs of packages, sorted by name, without repeated questions and near-duplicate passages."""
    corpus = Corpus()
    pairs: list[QuestionPair] = []
    for place, (package, location) in enumerate(sorted(locations.items()), start=1):
        modules, unreadable = read_package(location, package, SKIPPED_MODULES)
        corpus.unreadable_files += unreadable
        before = len(pairs)
        for docstring in public_docstrings(modules):
            pair = make_pair(docstring.name, docstring.text)
            if isinstance(pair, QuestionPair):
                pairs.append(pair)
            else:
                corpus.dropped[pair] += 1
        print(f"[{place}/{len(locations)}] {package}: {len(pairs) - before} pairs", file=sys.stderr)
    pairs.sort(key=lambda pair: pair.name)
    distinct = drop_repeated_questions(pairs)
    corpus.pairs = drop_near_duplicates(distinct)
    corpus.dropped["question asked more than once"] = len(pairs) - len(distinct)
    corpus.dropped["passage nearly the same as another"] = len(distinct) - len(corpus.pairs)
    return corpus


def describe(
    corpus: Corpus, limits: Limits, files: Mapping[str, Sequence[str]], wanted: Iterable[str]
) -> dict[str, object]:
    """What SOURCE.json says, but for the checksums."""
    counts = Counter(package_of(pair) for pair in corpus.pairs)
    distributions = importlib.metadata.packages_distributions()
    packages: dict[str, dict[str, object]] = {}
    for name in sorted(counts):
        owner = distributions.get(name) if name not in sys.stdlib_module_names else None
        version = importlib.metadata.version(owner[0]) if owner else platform.python_version()
        packages[name] = {"version": version, "split": split_of(name), "passages": counts[name]}
    shares = Counter(split_of(package_of(pair)) for pair in corpus.pairs)
    return {
        "made_by": "data_scripts/python_docs.py",
        "limits": asdict(limits),
        "lines": {name: len(lines) for name, lines in files.items()},
        "passages_by_split": dict(sorted(shares.items())),
        "dropped": dict(sorted(corpus.dropped.items())),
        "unreadable_files": corpus.unreadable_files,
        "absent_packages": sorted(name for name in wanted if name not in counts),
        "packages": packages,
    }


def is_finished(folder: Path, limits: Limits) -> bool:
    """Whether a folder holds the whole data set, made with these limits and unchanged since.

    Raises:
        InputError: it holds one of other limits, one with changed files, or another kind of SOURCE.json.
    """
    if not (folder / SOURCE).exists():
        return False
    source = read_json(folder / SOURCE)
    if not isinstance(source, dict) or not isinstance(source.get("sha256"), dict):
        raise InputError("not what this script writes; choose another output folder", path=folder / SOURCE)
    if source.get("limits") != asdict(limits):
        raise InputError("made with other limits; choose another output folder", path=folder / SOURCE)
    for name, checksum in source["sha256"].items():
        if file_sha256(folder / name) != checksum:
            raise InputError(
                f"changed since it was made: expected the SHA-256 of {SOURCE}", path=folder / name
            )
    return True


def write_data_set(folder: Path, files: Mapping[str, Sequence[str]], source: Mapping[str, object]) -> None:
    """Write the files and, last, SOURCE.json with their checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        with atomic_file(folder / name) as file:
            file.writelines(f"{line}\n" for line in lines)
    write_json(folder / SOURCE, {**source, "sha256": {name: file_sha256(folder / name) for name in files}})


def make_data_set(folder: Path, limits: Limits, locations: Mapping[str, Path] | None = None) -> bool:
    """Make the data set in a new folder, or leave a finished one as it is.

    Args:
        folder: the output folder.
        limits: how much of the whole to write.
        locations: package → folder or file; default: the standard library and ``PACKAGES``.

    Returns:
        False where the folder held the finished data set already.

    Raises:
        InputError: the folder holds something else, or a data set of other limits or changed files.
    """
    if is_finished(folder, limits):
        return False
    require_new_folder(folder)
    wanted = PACKAGES if locations is None else tuple(locations)
    corpus = collect(
        {**standard_library(), **installed_packages(PACKAGES)} if locations is None else locations
    )
    files = make_files(corpus.pairs, limits)
    write_data_set(folder, files, describe(corpus, limits, files, wanted))
    return True


def parse_arguments(arguments: Sequence[str] | None = None) -> tuple[Path, Limits]:
    """The output folder and the limits of a command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="a new folder, or a finished one to reuse"
    )
    for name, value in asdict(Limits()).items():
        flag = f"--max-{name.replace('_', '-')}"
        parser.add_argument(flag, type=int, default=value, metavar="N", dest=name, help=f"default {value:,}")
    parser.add_argument("--full", action="store_true", help="no limits: the flags above do not count")
    parsed = vars(parser.parse_args(arguments))
    output, full = parsed.pop("output"), parsed.pop("full")
    for name, value in parsed.items():
        if value < 1:
            parser.error(f"--max-{name.replace('_', '-')} must be at least 1, got {value}")
    return output, Limits(**(dict.fromkeys(parsed) if full else parsed))


def main() -> int:
    """The command: 0 when the data set is there, 2 when the output folder cannot be used."""
    folder, limits = parse_arguments()
    try:
        made = make_data_set(folder, limits)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{folder}: {'made' if made else 'already finished, nothing to do'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
