"""All formats by name."""

from retriever.choices import DataFormat
from retriever.data.formats import (
    beir,
    ctl,
    dpr,
    flagembedding,
    msmarco,
    qa_csv,
    squad,
    tevatron,
    tevatron_ids,
    triplets,
)
from retriever.data.formats.model import Format

FORMATS: dict[DataFormat, Format] = {
    each.name: each
    for each in (
        dpr.FORMAT,
        qa_csv.FORMAT,
        beir.FORMAT,
        msmarco.FORMAT,
        tevatron.FORMAT,
        tevatron_ids.FORMAT,
        flagembedding.FORMAT,
        triplets.FORMAT,
        squad.FORMAT,
        ctl.FORMAT,
    )
}
