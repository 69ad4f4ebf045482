"""Words by a saved ``tokenizer.json`` of the library tokenizers: for languages without spaces."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from tokenizers import Tokenizer

from retriever.data.files import unreadable
from retriever.errors import InputError


@dataclass(frozen=True)
class SavedTokenizer:
    """A tokenizer with its whole content.

    Tokens without a letter or digit are dropped, and none is cut off or added. What the tokenizer does not know stands for itself, in
    lower case: else all unknown words would be the same.

    Args:
        name: of the file, for people.
        json: what the file holds.

    Raises:
        InputError: the library tokenizers cannot read it.
    """

    name: str
    json: str = field(repr=False)
    _tokenizer: Tokenizer = field(init=False, repr=False, compare=False)
    _unknown: str | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            tokenizer = Tokenizer.from_str(self.json)
        except Exception as error:  # the library raises nothing more special
            raise InputError(f"not a tokenizer.json: {error}") from None
        tokenizer.no_truncation()
        tokenizer.no_padding()
        object.__setattr__(self, "_tokenizer", tokenizer)
        object.__setattr__(self, "_unknown", getattr(tokenizer.model, "unk_token", None))

    @classmethod
    def read(cls, path: Path) -> "SavedTokenizer":
        """From a file.

        Raises:
            InputError: it cannot be read.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InputError("not UTF-8", path=path) from None
        except OSError as error:
            raise unreadable(path, error) from None
        try:
            return cls(path.name, text)
        except InputError as error:
            raise InputError(error.message, path=path) from None

    @property
    def sha256(self) -> str:
        """Of the content."""
        return sha256(self.json.encode()).hexdigest()

    def pairs(self, text: str) -> list[tuple[str, str]]:
        """(how the text has it, token) in order."""
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        found = []
        for token, (start, stop) in zip(encoded.tokens, encoded.offsets, strict=True):
            written = text[start:stop]
            if any(map(str.isalnum, written)):
                found.append((written, written.lower() if token == self._unknown else token))
        return found
