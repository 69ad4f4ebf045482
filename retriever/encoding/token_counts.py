"""How many tokens texts have for a model, uncut, without loading its weights."""

from collections.abc import Callable, Sequence

from retriever.choices import PassageFormat, TextRole
from retriever.encoding.dual_encoder import format_passages, half
from retriever.encoding.hugging_face import load_tokenizer
from retriever.encoding.locate import locate_model
from retriever.encoding.model_folder import read_settings, transformer_folder
from retriever.encoding.tokens import prepare, tokenize
from retriever.records import Passage

NO_LIMIT = 1 << 30


def token_counter(
    model: str, role: TextRole | None = None, passage_format: PassageFormat = "pair"
) -> Callable[[Sequence[tuple[str, str]]], list[int]]:
    """A function from texts, as (title, text), to their numbers of tokens, special tokens and prompt included.

    Args:
        model: as for ``DualEncoder.load``.
        role: what the texts are; None: sentences.
        passage_format: how title and text become one input.

    Raises:
        InputError: no such model, or no tokenizer in it.
    """
    folder = locate_model(model if role is None else half(model, role))
    settings, tokenizer = read_settings(folder), load_tokenizer(transformer_folder(folder))
    prompt = "" if settings is None else settings.prompts.get(role or "default", "")
    lowercase = settings is not None and settings.lowercase

    def count(texts: Sequence[tuple[str, str]]) -> list[int]:
        passages = [Passage("", text, title) for title, text in texts]
        first, titles = prepare(
            *format_passages(passages, passage_format), prompt=prompt, lowercase=lowercase
        )
        found: list[int] = tokenize(tokenizer, first, titles, max_length=NO_LIMIT).lengths.tolist()
        return found

    return count
