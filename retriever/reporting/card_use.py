"""The examples of a model card; a test runs them in the folder."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from retriever.choices import PassageFormat, TextRole

if TYPE_CHECKING:
    from retriever.encoding.model_folder import EncoderSettings

QUESTION = '"how many keys has a piano?"'
TITLE, TEXT = "Piano", "A piano has eighty-eight keys."
JOINED: dict[PassageFormat, str] = {
    "{title}. {text}": f'"{TITLE}. {TEXT}"',
    "{title} {text}": f'"{TITLE} {TEXT}"',
    "{text}": f'"{TEXT}"',
    "pair": f'["{TITLE}", "{TEXT}"]',
}
"""A passage as sentence-transformers is given it."""

SHELL = """With `ctl`, in this folder:

```
ctl index --passages passages.tsv --model . --output index
ctl search index "how many keys has a piano?"
```"""
OURS = f"""In Python:

```python
from retriever import DualEncoder
from retriever.records import Passage

model = DualEncoder.load(".")
questions = model.encode_queries([{QUESTION}])
passages = model.encode_passages([Passage("1", "{TEXT}", "{TITLE}")])
print(questions @ passages.T)
```"""


def how_to_use(
    settings: "Mapping[TextRole | None, EncoderSettings]",
    *,
    half: TextRole | None = None,
    alone: bool = False,
) -> str:
    """With ctl, with our library, and with sentence-transformers.

    Args:
        settings: of the encoder, or by role of both.
        half: the folder is one of two encoders', so that only sentence-transformers opens it by itself.
        alone: the other one is not there, and the folder may be a checkpoint that sentence-transformers does not know.
    """
    if alone:
        return _half_alone(settings[None], half)
    peer = (
        f"With sentence-transformers:\n\n```python\n{_peer(settings, half)}\n```{_longer_questions(settings)}"
    )
    return peer if half is not None else "\n\n".join([SHELL, OURS, peer])


def _half_alone(own: "EncoderSettings", half: TextRole | None) -> str:
    texts = f"[{QUESTION}]"
    if half == "passage":
        pair = own.passage_format == "pair"
        texts = f'["{TEXT}"], ["{TITLE}"]' if pair else f"[{JOINED[own.passage_format]}]"
    return f"""In Python:

```python
from retriever import Encoder

print(Encoder.load(".").encode({texts}, role="{half}").shape)
```"""


def _longer_questions(settings: "Mapping[TextRole | None, EncoderSettings]") -> str:
    """sentence-transformers knows one length a model."""
    shared = settings.get(None)
    if shared is None or shared.query_max_length in (None, shared.max_length):
        return ""
    return (
        f"\n\nThere questions are cut at {shared.max_length} tokens, and not at {shared.query_max_length} as with `ctl`: set "
        f"`model.max_seq_length = {shared.query_max_length}` before longer ones are encoded."
    )


NO_SEGMENTS = '{}.tokenizer.model_input_names = ["input_ids", "attention_mask"]  # pairs have no segment ids, as in DPR\n'


def _peer(settings: "Mapping[TextRole | None, EncoderSettings]", half: TextRole | None) -> str:
    first = "from sentence_transformers import SentenceTransformer\n"
    if len(settings) == 2:
        passage = JOINED[settings["passage"].passage_format]
        segments = NO_SEGMENTS.format("passages") if settings["passage"].passage_format == "pair" else ""
        return f"""{first}
questions, passages = SentenceTransformer("query"), SentenceTransformer("passage")
{segments}print(questions.similarity(questions.encode_query([{QUESTION}]), passages.encode_document([{passage}])))"""
    (own,) = settings.values()
    passage = JOINED[own.passage_format]
    segments = NO_SEGMENTS.format("model") if own.passage_format == "pair" and half != "query" else ""
    model = f'{first}\nmodel = SentenceTransformer(".")\n{segments}'
    if half is not None:
        call = f"encode_query([{QUESTION}])" if half == "query" else f"encode_document([{passage}])"
        return f"{model}print(model.{call}.shape)"
    return f"{model}print(model.similarity(model.encode_query([{QUESTION}]), model.encode_document([{passage}])))"
