"""The rules of the architecture, checked on the syntax trees of every module: floors, rooms of libraries, no pickle."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A module imports only from floors below its own; inside a folder anything goes that is no circle.
FLOORS = {
    "retriever.errors": 0,
    "retriever.choices": 0,
    "retriever.records": 0,
    "retriever.presets": 0,
    "retriever.heap": 0,
    "retriever.readable": 0,
    "retriever.versions": 0,
    "retriever.settings": 0.5,  # what config is made of
    "retriever.config": 1,
    "retriever.protocols": 1,
    "retriever.losses": 2,
    "retriever.data": 2,
    "retriever.encoding": 3,
    "retriever.lexical": 3,
    "retriever.index": 4,
    "retriever.search": 5,
    "retriever.evaluation": 6,
    "retriever.inspection": 6,
    "retriever.training": 7,
    "retriever.serving": 8,
    "retriever.reporting": 8,
    "retriever": 9,  # the package's own names, loaded lazily: a front door for users, which no room may use
    "cli": 9,
}

TORCH_ROOMS = (
    "retriever.losses",
    "retriever.encoding",
    "retriever.index",
    "retriever.search.dense",
    "retriever.search.open",
    "retriever.search.rerank",
    "retriever.training",
)

# Library → the modules, or folders of modules, that may import it.
ROOMS: dict[str, tuple[str, ...]] = {
    "torch": TORCH_ROOMS,
    "transformers": ("retriever.encoding",),
    "sentence_transformers": ("retriever.search.rerank",),
    "tokenizers": ("retriever.encoding", "retriever.lexical"),
    "faiss": ("retriever.index.faiss_index",),
    "datasets": ("retriever.data.arrow",),
    "datasketch": ("retriever.inspection.near_duplicates",),
    "pyarrow": ("retriever.data.arrow",),
    "regex": ("retriever.data.answers",),
    "selectolax": ("retriever.data.documents.html",),
    "markdown_it": ("retriever.data.documents.markdown",),
    "pypdf": ("retriever.data.documents.pdf",),
    "rank_bm25": ("retriever.lexical",),
    "bm25s": ("retriever.lexical",),
    "numba": ("retriever.lexical.kernel",),
    "Stemmer": ("retriever.lexical.stemming",),
    "stop_words": ("retriever.lexical.stop_words",),
    "scipy": ("retriever.evaluation",),
    "sklearn": ("retriever.evaluation.logistic_regression",),
    "pytrec_eval": ("retriever.evaluation",),
    "mteb": ("retriever.evaluation.mteb_model",),
    "accelerate": ("retriever.training",),
    "psutil": ("retriever.training",),
    "matplotlib": ("retriever.reporting",),
    "fastapi": ("retriever.serving",),
    "uvicorn": ("retriever.serving",),
    "typer": ("cli",),
    "rich": ("cli",),
    "click": (),
    "pickle": (),
    "cloudpickle": (),
    "dill": (),
    "joblib": (),
    "marshal": (),
    "shelve": (),
}
LAZY = {
    "accelerate",
    "datasets",
    "datasketch",
    "markdown_it",
    "matplotlib",
    "mteb",
    "numba",
    "pypdf",
    "pytrec_eval",
    "selectolax",
    "Stemmer",
    "stop_words",
    "sentence_transformers",
    "sklearn",
}  # imported inside functions only
GROUND = {"errors", "choices", "records", "presets", "settings", "protocols"}


@dataclass(frozen=True)
class Import:
    """One import statement: what it names, and whether it runs when the module is imported."""

    target: str
    line: int
    lazy: bool


def modules_of(root: Path) -> dict[str, Path]:
    """Dotted name → file, of everything in retriever/ and cli/."""
    found: dict[str, Path] = {}
    for file in sorted([*root.glob("retriever/**/*.py"), *root.glob("cli/**/*.py")]):
        parts = file.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def nodes(tree: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it lies in a function or under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(tree):
        inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        inside = inside or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
        yield child, inside
        yield from nodes(child, inside)


def imports_of(name: str, file: Path, known: dict[str, Path]) -> Iterator[Import]:
    """The modules that a file imports; ``from package import module`` names the module."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node, lazy in nodes(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, lazy)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield Import(whole if whole in known or not node.module else base, node.lineno, lazy)
        elif isinstance(node, ast.Call) and called(node) in {
            "import_module",
            "importlib.import_module",
            "__import__",
        }:
            if node.args and isinstance(node.args[0], ast.Constant):
                yield Import(str(node.args[0].value), node.lineno, lazy)


def called(node: ast.Call) -> str:
    """The dotted name of what is called, as it is written."""
    return ast.unparse(node.func)


def within(name: str, places: tuple[str, ...]) -> bool:
    """Whether a module is one of these, or lies in one of these folders."""
    return any(name == place or name.startswith(place + ".") for place in places)


def room_of(name: str) -> str:
    """The folder under retriever/, the ground file, the package itself, or cli."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "retriever" else "cli"


def import_violations(root: Path) -> list[str]:
    """Every import that breaks a rule, as ``file:line: what``."""
    known = modules_of(root)
    found: list[str] = []
    graph: dict[str, set[str]] = {}
    for name, file in known.items():
        room = room_of(name)
        if room not in FLOORS:
            found.append(f"{file.relative_to(root)}:1: {room} is no room of the house")
            continue
        for each in imports_of(name, file, known):
            place = f"{file.relative_to(root)}:{each.line}:"
            library = each.target.partition(".")[0]
            if library in ROOMS and not within(name, ROOMS[library]):
                found.append(f"{place} {library} may not be imported here")
            elif library in LAZY and not each.lazy:
                found.append(f"{place} {library} must be imported inside a function")
            if library not in {"retriever", "cli"}:
                continue
            target = room_of(each.target)
            if target == room and room.rpartition(".")[2] not in GROUND:
                graph.setdefault(name, set()).add(each.target)
            elif FLOORS.get(target, 99) >= FLOORS[room] and name != "retriever" and room != "cli":
                found.append(
                    f"{place} {room} (floor {FLOORS[room]}) imports {target} (floor {FLOORS.get(target)})"
                )
    return found + [f"circle: {' → '.join(circle)}" for circle in circles(graph)]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """One circle for each module that can reach itself."""
    found = []
    for start in sorted(graph):
        paths = [[start]]
        seen: set[str] = set()
        while paths:
            path = paths.pop()
            if start in graph.get(path[-1], ()):
                found.append([*path, start])
                break
            fresh = sorted(graph.get(path[-1], set()) - seen)
            seen.update(fresh)
            paths += [[*path, each] for each in fresh]
    return found


def call_violations(root: Path) -> list[str]:
    """Calls that run or unpickle what a file holds."""
    found = []
    for file in modules_of(root).values():
        for node, _ in nodes(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            place, name = f"{file.relative_to(root)}:{node.lineno}:", called(node)
            literal = {each.arg: ast.unparse(each.value) for each in node.keywords if each.arg}
            if name.removeprefix("builtins.") in {"eval", "exec"}:
                found.append(f"{place} {name}()")
            if name == "torch.load" and literal.get("weights_only") != "True":
                found.append(f"{place} torch.load without weights_only=True")
            for banned in ("trust_remote_code", "allow_pickle"):
                if literal.get(banned, "False") != "False":
                    found.append(f"{place} {banned}")
    return found


def package_violations(root: Path) -> list[str]:
    """Package files that do something when they are imported."""
    found = []
    for file in modules_of(root).values():
        if file.name != "__init__.py":
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            checking = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            standard = (
                isinstance(node, ast.Import | ast.ImportFrom)
                and imported_names(node) <= sys.stdlib_module_names
            )
            names = isinstance(node, ast.Assign | ast.AnnAssign | ast.FunctionDef)
            if not (docstring or checking or standard or names):
                found.append(f"{file.relative_to(root)}:{node.lineno}: a package file must be empty or lazy")
    return found


def imported_names(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The top-level packages of one import statement; a relative one has the name ''."""
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").partition(".")[0] if not node.level else ""}
    return {alias.name.partition(".")[0] for alias in node.names}


def eager_closure(root: Path, start: str) -> set[str]:
    """Top-level libraries that importing a module brings in, through our own modules."""
    known = modules_of(root)
    waiting, seen, libraries = [start], {start}, set()
    while waiting:
        name = waiting.pop()
        for each in imports_of(name, known[name], known):
            if each.lazy:
                continue
            libraries.add(each.target.partition(".")[0])
            if each.target in known and each.target not in seen:
                seen.add(each.target)
                waiting.append(each.target)
    return libraries
