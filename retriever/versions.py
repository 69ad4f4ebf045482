"""Versions of ours, of Python and of the libraries that figures can depend on."""

import platform

COUNTED = (
    "contrastive-text-learning",
    "torch",
    "transformers",
    "faiss-cpu",
    "numpy",
    "numba",
    "PyStemmer",
    "pytrec-eval-terrier",
    "rank-bm25",
    "regex",
    "scikit-learn",
    "scipy",
)


def installed(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions; a package that is not installed is left out."""
    from importlib.metadata import (  # as long to import as all commands' settings
        PackageNotFoundError,
        version,
    )

    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def versions() -> dict[str, str]:
    """What stands beside results: Python's version and those of ``COUNTED``."""
    return {"python": platform.python_version(), **installed(COUNTED)}
