"""BEIR's public sets, each a folder of corpus.jsonl, queries.jsonl and qrels/.

    python data_scripts/beir.py scifact fiqa nq --output data/beir

A folder is what ``ctl train-dpr --train`` takes where it has qrels/train.tsv; its files are what ``ctl index --passages``
and ``ctl eval retrieval --questions … --qrels …`` take. cqadupstack is twelve such folders.

Addresses and MD5: the table in README.md of beir-cellar/beir; sizes: etc/downloads.json of allenai/ir_datasets, which
has the same MD5. They were not tried when this was written. Sets that BEIR may not pass on are not among them.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from archives import extract
from download import Source
from parts import Part, main

from retriever.data.corpus import read_passages
from retriever.data.dpr import read_questions
from retriever.data.rankings import read_qrels
from retriever.errors import InputError

_FILES = "https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets"
_WANTED = re.compile(r"[^/]+/((?:[^/]+/)?(?:corpus\.jsonl|queries\.jsonl|qrels/\w+\.tsv))")
SETS = {
    "arguana": (
        3_773_617,
        "8ad3e3c2a5867cdced806d6503f29b99",
        "http://argumentation.bplaced.net/arguana/data",
    ),
    "climate-fever": (1_228_666_652, "8b66f0a9126c521bae2bde127b4dc99d", "http://climatefever.ai"),
    "cqadupstack": (
        5_343_728_040,
        "4e41456d7df8ee7760a7f866133bda78",
        "http://nlp.cis.unimelb.edu.au/resources/cqadupstack/",
    ),
    "dbpedia-entity": (
        639_285_131,
        "c2a39eb420a3164af735795df012ac2c",
        "https://github.com/iai-group/DBpedia-Entity/",
    ),
    "fever": (1_236_988_269, "5a818580227bfb4b35bb6fa46d9b6c03", "http://fever.ai"),
    "fiqa": (17_948_027, "17918ed23cd04fb15047f73e6c3bd9d9", "https://sites.google.com/view/fiqa/"),
    "hotpotqa": (654_025_350, "f412724f78b0d91183a0e86805e16114", "https://hotpotqa.github.io"),
    "msmarco": (1_082_258_632, "444067daf65d982533ea17ebd59501e4", "https://microsoft.github.io/msmarco/"),
    "nfcorpus": (
        2_448_432,
        "a89dba18a62ef92f7d323ec890a0d38d",
        "https://www.cl.uni-heidelberg.de/statnlpgroup/nfcorpus/",
    ),
    "nq": (
        498_307_926,
        "d4d3d2e48787a744b6f6e691ff534307",
        "https://ai.google.com/research/NaturalQuestions",
    ),
    "quora": (
        15_853_968,
        "18fb154900ba42a600f84b839c173167",
        "https://www.quora.com/q/quoradata/First-Quora-Dataset-Release-Question-Pairs",
    ),
    "scidocs": (142_471_588, "38121350fc3a4d2f48850f6aff52e4a9", "https://allenai.org/data/scidocs"),
    "scifact": (2_816_079, "5f7d1de60b170fc8027bb7898e2efca1", "https://github.com/allenai/scifact"),
    "trec-covid": (
        73_876_720,
        "ce62140cb23feb9becf6270d0d1fe6d1",
        "https://ir.nist.gov/covidSubmit/index.html",
    ),
    "webis-touche2020": (
        227_132_363,
        "46f650ba5a527fc69e0a6521c5a23563",
        "https://webis.de/events/touche-20/shared-task-1.html",
    ),
}
"""Name → bytes and MD5 of its zip, and where the set comes from."""


def unpack(downloads: Sequence[Path], target: Path, *, name: str) -> Mapping[str, int]:
    """The corpora, queries and judgements of a zip whose files all lie in one folder."""
    (archive,) = downloads
    target.mkdir()

    def wanted(member: str) -> str | None:
        found = _WANTED.fullmatch(member)
        return found[1] if found and member.startswith(f"{name}/") else None

    if not extract(archive, wanted, target):
        raise InputError(f"no corpus, queries or qrels in a folder '{name}' of this archive", path=archive)
    return {}


def count(folder: Path) -> dict[str, int]:
    """How much ``ctl`` reads: of all folders, where there are several."""
    counts = {"passages": 0, "queries": 0, "judgements": 0}
    for corpus in sorted(folder.rglob("corpus.jsonl")):
        counts["passages"] += sum(1 for _ in read_passages(corpus))
        counts["queries"] += sum(1 for _ in read_questions(corpus.with_name("queries.jsonl")))
        judged = sorted((corpus.parent / "qrels").glob("*.tsv"))
        if not judged:
            raise InputError("no judgements", path=corpus.parent / "qrels")
        for file in judged:
            counts["judgements"] += sum(map(len, read_qrels(file).values()))
    if not counts["passages"]:
        raise InputError("no corpus.jsonl", path=folder)
    return counts


def _part(name: str) -> Part:
    size, md5, home = SETS[name]
    licence = "the set's own, see its home; BEIR states none for the zip"
    source = Source(url=f"{_FILES}/{name}.zip", home=home, licence=licence, size=size, checksum=f"md5:{md5}")
    return Part(name=name, sources=(source,), output=name, make=partial(unpack, name=name), count=count)


PARTS = tuple(map(_part, SETS))

if __name__ == "__main__":
    sys.exit(main(__doc__, PARTS))
