import importlib.util
import re

import pytest
from docstrings import parse_module, public_docstrings, read_package


def write_tree(folder, files):
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
    return folder


def names_of(folder, name="pack", skip=None):
    modules, _ = read_package(folder, name, skip)
    return {each.name: each.text for each in public_docstrings(modules)}


def test_functions_classes_methods_and_nested_classes_are_found():
    source = b'''
def plain():
    """A"""
async def waits():
    """B"""
class Outer:
    """C"""
    class Inner:
        """D"""
        async def method(self):
            """E"""
def undocumented():
    return 1
def outer():
    def local():
        """not reachable"""
'''
    assert parse_module(source, "m").docstrings == {
        "plain": "A",
        "waits": "B",
        "Outer": "C",
        "Outer.Inner": "D",
        "Outer.Inner.method": "E",
    }


def test_private_names_and_whatever_is_inside_them_are_left_out():
    source = b'''
def _hidden():
    """A"""
class _Hidden:
    """B"""
    def method(self):
        """C"""
class Shown:
    def __init__(self):
        """D"""
    def shown(self):
        """E"""
'''
    assert parse_module(source, "m").docstrings == {"Shown.shown": "E"}


def test_the_first_documented_definition_of_a_name_stays():
    source = b'''
from typing import overload
@overload
def f(x: int) -> int: ...
@overload
def f(x: str) -> str:
    """First documented."""
def f(x):
    """Second."""
try:
    import fast
except ImportError:
    def g():
        """In a handler."""
else:
    def g():
        """In an else."""
if fast:
    def h():
        """In an if."""
'''
    assert parse_module(source, "m").docstrings == {
        "f": "First documented.",
        "g": "In an else.",
        "h": "In an if.",
    }


def test_a_property_is_described_by_its_getter_alone():
    source = b'''
class C:
    @property
    def size(self):
        pass
    @size.setter
    def size(self, value):
        """Setter."""
    @property
    def width(self):
        """Getter."""
    @width.deleter
    def width(self):
        """Deleter."""
'''
    assert parse_module(source, "m").docstrings == {"C.width": "Getter."}


def test_what_a_decorator_calls_deprecated_is_left_out():
    source = b'''
@deprecated("use g")
def f():
    """A"""
@warnings.deprecated("use g")
class C:
    """B"""
    def method(self):
        """C"""
@cache
def g():
    """D"""
'''
    assert parse_module(source, "m").docstrings == {"g": "D"}


def test_an_encoding_cookie_and_a_byte_order_mark_are_obeyed(tmp_path):
    source = '# -*- coding: latin-1 -*-\ndef f():\n    """Café"""\n'.encode("latin-1")
    assert parse_module(source, "m").docstrings == {"f": "Café"}
    assert parse_module('def f():\n    """Café"""\n'.encode("utf-8-sig"), "m").docstrings == {"f": "Café"}


def test_files_that_are_no_python_are_skipped_and_counted(tmp_path):
    files = {
        "__init__.py": 'def fine():\n    """A"""\n',
        "syntax.py": "def broken(:\n",
        "bytes.py": b'def f():\n    """Caf\xe9"""\n',
        "null.py": b"x = 1\0\n",
        "deep.py": "x = " + "-" * 100_000 + "1\n",
    }
    modules, broken = read_package(write_tree(tmp_path, files), "pack")
    assert ([module.name for module in modules], broken) == (["pack"], 4)


def test_sources_are_never_run(tmp_path):
    write_tree(tmp_path, {"__init__.py": 'raise SystemExit("imported")\ndef f():\n    """A"""\n'})
    assert names_of(tmp_path) == {"pack.f": "A"}


def test_a_module_of_one_file_goes_by_its_own_name(tmp_path):
    write_tree(tmp_path, {"single.py": 'def f():\n    """A"""\n'})
    assert names_of(tmp_path / "single.py", "single") == {"single.f": "A"}


def test_tests_vendored_copies_and_chosen_modules_are_left_out(tmp_path):
    source = 'def f():\n    """A"""\n'
    kept = ["good/__init__.py", "testing.py"]
    left_out = [
        "tests/a.py",
        "_vendor/b.py",
        "good/externals/c.py",
        "conftest.py",
        "__main__.py",
        "models/bert/d.py",
    ]
    write_tree(tmp_path, dict.fromkeys(kept + left_out, source))
    assert set(names_of(tmp_path, skip=re.compile(r"pack\.models\b"))) == {"pack.good.f", "pack.testing.f"}


DOCUMENTED = 'def f():\n    """A"""\ndef g():\n    """B"""\n'


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"__init__.py": "", "_x.py": DOCUMENTED}, set()),
        ({"__init__.py": "from ._x import f", "_x.py": DOCUMENTED}, {"pack.f"}),
        ({"__init__.py": "from pack._x import f as better", "_x.py": DOCUMENTED}, {"pack.better"}),
        ({"__init__.py": "from ._x import f as _f", "_x.py": DOCUMENTED}, set()),
        ({"__init__.py": "from ._x import *", "_x.py": DOCUMENTED}, {"pack.f", "pack.g"}),
        ({"__init__.py": "from ._x import *", "_x.py": "__all__ = ['g']\n" + DOCUMENTED}, {"pack.g"}),
        # Handed on twice, the second time from two levels up.
        (
            {
                "__init__.py": "from ._a import f",
                "_a/__init__.py": "from ._b import f",
                "_a/_b.py": DOCUMENTED,
            },
            {"pack.f"},
        ),
        ({"sub/__init__.py": "from .._x import g", "_x.py": DOCUMENTED}, {"pack.sub.g"}),
        # The shorter of two public names, then the first by letter.
        ({"__init__.py": "from .long import f", "long.py": DOCUMENTED}, {"pack.f", "pack.long.g"}),
        (
            {
                "b/__init__.py": "from .._x import f",
                "a/__init__.py": "from .._x import f",
                "_x.py": DOCUMENTED,
            },
            {"pack.a.f"},
        ),
        # A module that is no package hands on only what it declares.
        ({"api.py": "__all__ = ['f']\nfrom pack._x import f, g", "_x.py": DOCUMENTED}, {"pack.api.f"}),
        # A private module that declares names means them for its package.
        ({"__init__.py": "", "_x.py": "__all__ = ('f',)\n" + DOCUMENTED}, {"pack.f"}),
        # A public module's __all__ is believed, where it is one plain list.
        ({"x.py": "__all__ = ['f']\n" + DOCUMENTED}, {"pack.x.f"}),
        ({"x.py": "__all__: list[str] = make()\n" + DOCUMENTED}, {"pack.x.f", "pack.x.g"}),
        ({"x.py": "__all__ = ['f']\n__all__ += more\n" + DOCUMENTED}, {"pack.x.f", "pack.x.g"}),
        ({"x.py": "__all__ = ['f'] + more\n" + DOCUMENTED}, {"pack.x.f", "pack.x.g"}),
        # Imports in a circle end.
        (
            {"_a/__init__.py": "from .._b import f", "_b/__init__.py": "from .._a import f\n" + DOCUMENTED},
            set(),
        ),
    ],
)
def test_the_public_name_is_the_one_that_users_import(tmp_path, files, expected):
    assert set(names_of(write_tree(tmp_path, files))) == expected


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("is_package", [True, False])
@pytest.mark.parametrize("source", ["", "other"])
def test_relative_imports_resolve_as_the_import_system_does(level, is_package, source):
    dots = "." * level + source
    module = parse_module(f"from {dots} import name".encode(), "a.b.c.d", is_package=is_package)
    package = "a.b.c.d" if is_package else "a.b.c"
    assert module.imports == [(importlib.util.resolve_name(dots, package), "name", "name")]


def test_docstrings_come_sorted_by_name(tmp_path):
    write_tree(tmp_path, {"b.py": DOCUMENTED, "a/__init__.py": DOCUMENTED, "a.py": DOCUMENTED})
    modules, _ = read_package(tmp_path, "pack")
    names = [each.name for each in public_docstrings(reversed(modules))]
    assert names == sorted(names) == ["pack.a.f", "pack.a.g", "pack.b.f", "pack.b.g"]
