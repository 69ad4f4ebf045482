"""Docstrings of Python packages, read from their sources with ``ast``: nothing is imported, no code is run.

``read_package`` parses the modules of a package; ``public_docstrings`` gives the docstring of every public
function, class and method in them, under the shortest dotted name by which a user of the package reaches it.
"""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Tests, copies of other projects, and scripts that are no part of a package's interface.
SKIPPED_PARTS = frozenset(
    "test tests conftest setup __main__ _vendor _vendored vendored vendor externals extern "
    "third_party benchmarks examples site-packages dist-packages".split()
)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Docstring:
    """The docstring of one function, class or method, under its dotted name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Module:
    """What a source file says of itself.

    ``docstrings`` maps names inside the module (``Class.method``) to docstrings; ``imports`` holds (module,
    name, local name) of its from-imports, name ``*`` included; ``declared`` is ``__all__`` where that is one
    plain list, else None.
    """

    name: str
    is_package: bool
    docstrings: Mapping[str, str]
    imports: Sequence[tuple[str, str, str]]
    declared: frozenset[str] | None


def parse_module(source: bytes, name: str, *, is_package: bool = False) -> Module:
    """Read a module's source; an encoding cookie or byte order mark is obeyed.

    Raises:
        SyntaxError: the source is not Python of this version, or not in the encoding that it claims.
        ValueError: the source holds null bytes (before Python 3.12).
        RecursionError, MemoryError: expressions are nested too deeply for the parser.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's sources
        tree = ast.parse(source)
    docstrings: dict[str, str] = {}
    for qualified_name, node in public_definitions(tree.body):
        text = ast.get_docstring(node)
        if text and qualified_name not in docstrings:  # the first of overloads and of the branches of an if
            docstrings[qualified_name] = text
    imports = [
        each for node in statements(tree.body) for each in from_imports(node, name, is_package=is_package)
    ]
    return Module(name, is_package, docstrings, imports, declared_names(tree.body))


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, with those inside if, try and with."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for field in ("body", "orelse", "finalbody"):
                yield from statements(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from statements(handler.body)


def public_definitions(body: Iterable[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Functions, classes and their methods, nested classes included, not underscored or deprecated ones."""
    for node in statements(body):
        if not isinstance(node, Definition) or node.name.startswith("_") or not is_first_hand(node):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node.body, f"{prefix}{node.name}.")


def is_first_hand(node: Definition) -> bool:
    """False for property setters and deleters (the getter speaks for them) and what is deprecated."""
    for decorator in node.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        if name in ("setter", "deleter") or "deprecat" in name.lower():
            return False
    return True


def from_imports(node: ast.stmt, module: str, *, is_package: bool) -> Iterator[tuple[str, str, str]]:
    """(module, name, local name) of a from-import, relative ones made absolute."""
    if not isinstance(node, ast.ImportFrom):
        return
    source = node.module or ""
    if node.level:
        parts = module.split(".")
        parts = parts[: len(parts) - node.level + is_package]
        source = ".".join([*parts, source] if source else parts)
    for alias in node.names:
        yield source, alias.name, alias.asname or alias.name


def declared_names(body: Iterable[ast.stmt]) -> frozenset[str] | None:
    """``__all__`` where it is one literal list or tuple; None where it is absent or computed."""
    declared: frozenset[str] | None = None
    for node in statements(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            continue
        try:
            value = ast.literal_eval(node.value) if isinstance(node, ast.Assign) else None
        except ValueError:
            return None
        if declared is not None or not isinstance(value, list | tuple):
            return None
        declared = frozenset(value)
    return declared


def read_package(location: Path, name: str, skip: re.Pattern[str] | None = None) -> tuple[list[Module], int]:
    """Parse every module of a package folder, or the one file of a module.

    Args:
        location: the package's folder or the module's file.
        name: its import name.
        skip: dotted module names to leave out.

    Returns:
        The modules in the order of their paths, and the number of files that could not be parsed.
    """
    files = [location] if location.is_file() else sorted(location.rglob("*.py"))
    modules, broken = [], 0
    for file in files:
        parts = [name] if file == location else [name, *file.relative_to(location).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        dotted = ".".join(parts[:-1] if is_package else parts)
        if SKIPPED_PARTS.intersection(parts[1:]) or (skip and skip.match(dotted)):
            continue
        try:
            modules.append(parse_module(file.read_bytes(), dotted, is_package=is_package))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            broken += 1
    return modules, broken


def public_docstrings(modules: Iterable[Module]) -> list[Docstring]:
    """Every docstring under the shortest public name that its package gives it, sorted by name.

    Much of scipy or sklearn lives in underscored modules and is handed on by a package's ``__init__``; what
    no public module holds is private and left out. Of two that end under one name the first by module stays.
    """
    modules = sorted(modules, key=lambda module: module.name)
    exports = find_exports(modules)
    found: dict[str, str] = {}
    for module in modules:
        for qualified_name, text in module.docstrings.items():
            head, _, rest = qualified_name.partition(".")
            name = public_name(module, head, exports)
            if name is not None:
                found.setdefault(f"{name}.{rest}" if rest else name, text)
    return [Docstring(name, found[name]) for name in sorted(found)]


def find_exports(modules: Iterable[Module]) -> dict[str, list[str]]:
    """Dotted name → the names under which other modules hand it on.

    A package's ``__init__`` hands on whatever it imports, any other module what it names in ``__all__``.
    """
    by_name = {module.name: module for module in modules}
    exports: dict[str, list[str]] = {}
    for module in by_name.values():
        for source, name, local_name in module.imports:
            if name != "*" and (module.is_package or local_name in (module.declared or ())):
                exports.setdefault(f"{source}.{name}", []).append(f"{module.name}.{local_name}")
            elif name == "*" and module.is_package and source in by_name:
                for each in star_names(by_name[source]):
                    exports.setdefault(f"{source}.{each}", []).append(f"{module.name}.{each}")
    return exports


def star_names(module: Module) -> list[str]:
    """What ``from module import *`` brings, as far as definitions and from-imports tell."""
    names = {name.partition(".")[0] for name in module.docstrings} | {local for _, _, local in module.imports}
    return sorted(name for name in names if is_declared(module, name) and not name.startswith("_"))


def is_declared(module: Module, name: str) -> bool:
    """Whether a module means a name of its own to be public: by ``__all__``, where it has one."""
    return module.declared is None or name in module.declared


def public_name(module: Module, head: str, exports: Mapping[str, Sequence[str]]) -> str | None:
    """The shortest public dotted name of a module's function or class, None where it has none."""
    own_name = f"{module.name}.{head}"
    reachable, waiting = {own_name}, [own_name]
    while waiting:
        for name in exports.get(waiting.pop(), ()):
            if name not in reachable:
                reachable.add(name)
                waiting.append(name)
    if not is_declared(module, head):
        reachable.discard(own_name)
    elif module.declared is not None and module.name.rpartition(".")[2].startswith("_"):
        # What package/_private.py declares is meant for the package, which may import it in unseen ways.
        reachable.add(f"{module.name.rpartition('.')[0]}.{head}")
    public = [name for name in reachable if not any(part.startswith("_") for part in name.split("."))]
    return min(public, key=lambda name: (name.count("."), name), default=None)
