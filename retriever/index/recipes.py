"""Index recipes by name, as FAISS factory strings."""

from retriever.choices import IndexRecipe

FACTORY: dict[IndexRecipe, str] = {"flat": "Flat"}
