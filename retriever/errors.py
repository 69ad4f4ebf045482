"""The one exception for bad user input. ``cli/main.py`` alone turns it into a message and exit code 2."""

from os import PathLike


class InputError(ValueError):
    """Something the user gave is wrong: a file, a line in it, a flag, a model or an index.

    ``str(error)`` reads ``path:line: message``, with whatever of path and line is known.
    """

    def __init__(
        self, message: str, *, path: str | PathLike[str] | None = None, line: int | None = None
    ) -> None:
        self.message, self.path, self.line = message, path, line
        place = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(place + message)


def stop_at(error: InputError) -> None:
    """What a reader does with a record that is wrong, unless it is told otherwise."""
    raise error
