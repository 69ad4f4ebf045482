"""SimCSE's training data: a million sentences of Wikipedia, and triplets of SNLI and MultiNLI.

    python data_scripts/simcse.py wiki1m nli --output data/simcse

wiki1m gives wiki1m.txt (unsupervised), nli gives nli.csv (supervised: sent0, sent1, hard_neg), both for
``ctl train-simcse --train``. Addresses: data/download_wiki.sh and data/download_nli.sh of princeton-nlp/SimCSE;
they were not tried when this was written. Nobody published checksums of them.
"""

import sys
from pathlib import Path

from download import Source
from parts import Part, as_it_is, main

from retriever.data.simcse import read_simcse_examples

_FILES = "https://huggingface.co/datasets/princeton-nlp/datasets-for-simcse/resolve/main"
HOME = "https://github.com/princeton-nlp/SimCSE"


def count_examples(file: Path) -> dict[str, int]:
    """How many examples ``ctl train-simcse`` reads."""
    return {"examples": sum(1 for _ in read_simcse_examples(file))}


def _part(name: str, file: str, output: str, licence: str) -> Part:
    source = Source(url=f"{_FILES}/{file}", home=HOME, licence=licence)
    return Part(name=name, sources=(source,), output=output, make=as_it_is, count=count_examples)


PARTS = (
    _part("wiki1m", "wiki1m_for_simcse.txt", "wiki1m.txt", "Wikipedia's text: CC BY-SA 3.0"),
    _part(
        "nli",
        "nli_for_simcse.csv",
        "nli.csv",
        "SNLI: CC BY-SA 4.0; MultiNLI: OANC, CC BY 3.0, CC BY-SA 3.0 and MIT by source",
    ),
)

if __name__ == "__main__":
    sys.exit(main(__doc__, PARTS))
