"""Closed vocabularies. Wherever one of these is dispatched on, a dict has exactly these keys."""

from typing import Literal

PoolingMode = Literal["cls", "mean", "first_last_mean", "top2_mean"]
HeadMode = Literal["none", "keep", "train_only"]
Similarity = Literal["cosine", "dot"]
Precision = Literal["auto", "bf16", "fp32"]
PassageFormat = Literal["pair", "{title}. {text}", "{title} {text}", "{text}"]
TextRole = Literal["query", "passage"]
IndexRecipe = Literal["flat"]
SearchMode = Literal["dense", "bm25", "hybrid"]
