"""Config dataclass → Typer command → config dataclass: each option is declared once, in ``retriever/config/``.

A command is a function of one config, plus keyword flags of its own (``as_json``). ``add_command`` gives it the flags of
the config's fields. All of Typer's defaults are None, so that only the flags that were really given override the
``--config`` file.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from retriever.errors import InputError
from retriever.settings import Config, optional_inner

ConfigT = TypeVar("ConfigT", bound=Config)

CONFIG_FLAG = "config_file"
HELP_WIDTH = 110
WIDE = {"max_content_width": HELP_WIDTH}
LONGEST_METAVAR = 60
JSON_HELP = "Print JSON, one object a line, instead of a table."


class PanelledCommand(TyperCommand):
    """A command whose plain help has a section for each group of settings; it fits a terminal of 80 columns."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (Typer keeps both types private)
        """Write the sections."""
        write_panels(self, ctx, formatter)


class PanelledGroup(TyperGroup):
    """A group of commands that is a command itself; its help has its own settings first, as those of ``PanelledCommand``."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (as above)
        """Write the sections, then the commands."""
        write_panels(self, ctx, formatter)
        self.format_commands(ctx, formatter)


def write_panels(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (as above)
    """Write the sections in the order in which the parameters first name them."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for each in command.get_params(ctx):
        record = each.get_help_record(ctx)
        if record is not None:
            sections.setdefault(getattr(each, "rich_help_panel", None) or "Options", []).append(record)
    for title, records in sections.items():
        with formatter.section(title):
            formatter.write_dl(records)


def add_command(app: typer.Typer, name: str, function: Callable[..., None]) -> None:
    """Register a command whose flags come from the config class that the function takes.

    Args:
        app: the application, or a group of it.
        name: the command's name on the command line.
        function: takes ``config: SomeConfig`` first, and may take ``as_json: bool``; its docstring is the help.
    """
    app.command(name, cls=PanelledCommand, short_help=short_help(function), context_settings=WIDE)(
        typer_command(function, [])
    )


def add_group(app: typer.Typer, name: str, function: Callable[..., None]) -> typer.Typer:
    """Register a command as ``add_command`` does, which other commands can be added to: ``ctl index`` and ``ctl index add``.

    Returns:
        The group.
    """
    group = typer.Typer(rich_markup_mode=None, add_completion=False)
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    group.callback(invoke_without_command=True)(typer_command(function, [context]))
    app.add_typer(group, name=name, cls=PanelledGroup, short_help=short_help(function), context_settings=WIDE)
    return group


def short_help(function: Callable[..., None]) -> str:
    """The first line of a command's docstring."""
    return inspect.cleandoc(function.__doc__ or "").partition("\n")[0]


def typer_command(function: Callable[..., None], before: Sequence[inspect.Parameter]) -> Callable[..., None]:
    """The function of a config as one of flags, with the signature that Typer reads; ``before`` are parameters that Typer fills."""
    config_class: type[Config] = get_type_hints(function)["config"]
    with_json = "as_json" in inspect.signature(function).parameters

    def command(**values: Any) -> None:  # noqa: ANN401  (whatever types the flags have)
        context: typer.Context | None = values.pop("context", None)
        if context is not None and context.invoked_subcommand is not None:
            if any(each not in (None, [], ()) for each in values.values()):
                raise InputError(f"options of {context.invoked_subcommand} stand after it")
            return
        own = {"as_json": bool(values.pop("as_json"))} if with_json else {}
        file = values.pop(CONFIG_FLAG)
        function(resolve(config_class, given_flags(values), file), **own)

    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    parameters = [
        *before,
        *parameters_of(config_class),
        config_parameter(),
        *([json_parameter()] if with_json else []),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def given_flags(values: Mapping[str, object]) -> dict[str, object]:
    """The values that were given on the command line; repeatable ones as tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None and value != []
    }


def resolve(config_class: type[ConfigT], flags: Mapping[str, object], file: Path | None) -> ConfigT:
    """``Config.resolve``, where an error that a flag caused speaks of the flag: ``--max-length``, not ``max_length``.

    Raises:
        InputError: unknown key, wrong type, value out of range, or a required setting missing.
    """
    try:
        return config_class.resolve(flags, file)
    except InputError as error:
        if error.path is not None:  # the file caused it, and keys are what is in there
            raise
        name, space, rest = error.message.partition(" ")
        spelled = {each.name: flag_name(each) for each in fields(config_class)}
        raise InputError(spelled.get(name, name) + space + rest) from None


def flag_name(each: "Field[Any]") -> str:
    """How the command line calls a field: ``--max-length``, ``--from`` for ``from_``, or ``DATA`` for a positional one."""
    if each.metadata["positional"]:
        return each.name.upper()
    return "--" + each.name.rstrip("_").replace("_", "-")


def flag_declaration(each: "Field[Any]", inner: object) -> str:
    """``--max-length``; for a switch ``--bm25/--no-bm25``, or the pair of words that the setting declares."""
    if inner is not bool:
        return flag_name(each)
    declared: str = each.metadata["flags"]
    return declared or f"{flag_name(each)}/{flag_name(each).replace('--', '--no-', 1)}"


def short_flag(each: "Field[Any]") -> list[str]:
    """A setting whose name is one letter, k, is ``-k`` as well as ``--k``."""
    return [f"-{each.name}"] if len(each.name) == 1 else []


def parameters_of(config_class: type[Config]) -> list[inspect.Parameter]:
    """One parameter a field: the command's own settings first, then the groups that it shares, nearest first."""
    annotations = get_type_hints(config_class)
    order = config_class.__mro__
    ordered = sorted(
        fields(config_class), key=lambda each: order.index(declaring_class(config_class, each.name))
    )
    return [parameter(each, annotations[each.name], panel_of(config_class, each.name)) for each in ordered]


def declaring_class(config_class: type[Config], name: str) -> type:
    """The group that declares a field; where a command only gives it another default, still the group."""
    return next(each for each in reversed(config_class.__mro__) if name in inspect.get_annotations(each))


def panel_of(config_class: type[Config], name: str) -> str:
    """The help panel of a field: the docstring of the group that declares it."""
    return inspect.cleandoc(declaring_class(config_class, name).__doc__ or "").partition("\n")[0].rstrip(".")


def parameter(each: "Field[Any]", annotation: object, panel: str) -> inspect.Parameter:
    """A field as a keyword parameter with Typer's annotation; its default is None, whatever the field's."""
    inner, _ = optional_inner(annotation)
    value_type: Any = inner
    if get_origin(inner) is tuple:
        element = get_args(inner)[0]
        value_type = list[str] if get_origin(element) is Literal else list[element]  # type: ignore[valid-type]
    declaration = flag_declaration(each, inner)
    text = choices_text(inner) + help_text(each, declaration)
    info = (
        typer.Argument(help=text, show_default=False, metavar=flag_name(each), rich_help_panel="Arguments")
        if each.metadata["positional"]
        else typer.Option(
            declaration,
            *short_flag(each),
            help=text,
            show_default=False,
            metavar=metavar(inner),
            rich_help_panel=panel,
        )
    )
    return keyword(each.name, Annotated[value_type | None, info])


def metavar(inner: object) -> str | None:
    """What stands for the value in the help; a switch takes none."""
    if get_origin(inner) is Literal:
        return "NAME" if is_long(inner) else "|".join(map(str, get_args(inner)))
    if get_origin(inner) is tuple:
        return metavar(get_args(inner)[0])
    return {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}.get(inner)  # type: ignore[call-overload]


def is_long(choices: object) -> bool:
    """Whether the choices are listed in the help's text, because they would not fit beside the flag."""
    return len("|".join(map(str, get_args(choices)))) > LONGEST_METAVAR


def choices_text(inner: object) -> str:
    """``One of a, b. `` for choices that do not stand beside the flag."""
    if get_origin(inner) is not Literal or not is_long(inner):
        return ""
    return f"One of {', '.join(map(str, get_args(inner)))}. "


def help_text(each: "Field[Any]", declaration: str) -> str:
    """The setting's help, its default and where the default comes from: ``… [default: 32 — SimCSE, table A.1]``."""
    metadata = each.metadata
    if metadata["required"]:
        return f"{metadata['help']} [required]"
    source: str = metadata["source"]
    if each.default is None or each.default == ():
        return f"{metadata['help']} [default: {source or 'none'}]"
    default = str(each.default)
    if isinstance(each.default, bool):
        on, off = declaration.split("/")
        default = on if each.default else off
    return f"{metadata['help']} [default: {default}{' — ' if source else ''}{source}]"


def keyword(name: str, annotation: object) -> inspect.Parameter:
    """A keyword-only parameter that is None when it was not given."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def config_parameter() -> inspect.Parameter:
    """``--config``, on every command."""
    text = "JSON file of settings, such as a run's config.json; flags beat it, it beats the defaults."
    return keyword(
        CONFIG_FLAG, Annotated[Path | None, typer.Option("--config", help=text, metavar="FILE.json")]
    )


def json_parameter() -> inspect.Parameter:
    """``--json``, on the commands that print results."""
    return keyword("as_json", Annotated[bool | None, typer.Option("--json", help=JSON_HELP)])
