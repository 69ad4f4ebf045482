"""Closed vocabularies. Wherever one of these is dispatched on, a dict has exactly these keys."""

from typing import Literal

PoolingMode = Literal["cls", "mean", "first_last_mean", "top2_mean"]
PoolingRequest = Literal[PoolingMode, "cls_head"]  # cls_head: cls, and the checkpoint's own MLP over it
HeadMode = Literal["none", "keep", "train_only"]
Similarity = Literal["cosine", "dot"]
StsSimilarity = Literal[
    Similarity, "euclidean", "manhattan"
]  # how embeddings are compared with people's scores
Precision = Literal["auto", "bf16", "fp32"]
PassageFormat = Literal["pair", "{title}. {text}", "{title} {text}", "{text}"]
TextRole = Literal["query", "passage"]
IndexRecipe = Literal[
    "flat", "flat-fp16", "sq8", "hnsw", "ivf-flat", "ivf-sq8", "ivf-pq", "ivf-rabitq", "binary"
]
RecipeRequest = Literal["auto", IndexRecipe]
VectorType = Literal["fp32", "fp16"]
Bm25Formula = Literal["okapi", "lucene"]
SearchMode = Literal["dense", "bm25", "hybrid"]
Rejection = Literal["positive", "rank", "score", "copy", "near_duplicate", "answer", "cross_encoder"]
LastBlock = Literal["join", "keep", "wrap"]
DataFormat = Literal[
    "dpr",
    "qa-csv",
    "beir",
    "msmarco",
    "tevatron",
    "tevatron-ids",
    "flagembedding",
    "triplets",
    "squad",
    "ctl",
]
Split = Literal["train", "dev", "test"]
FusionMethod = Literal["zscore", "minmax", "weighted", "rrf"]
FusionMetric = Literal["accuracy@1", "accuracy@5", "mrr@10", "ndcg@10"]
TiePolicy = Literal["ranking", "trec_eval"]  # equal scores: as they are ranked; or by id, largest first
UnjudgedPolicy = Literal["not_relevant", "left_out"]
SelfHitPolicy = Literal["keep", "drop"]  # a passage that has the question's own id
AnswerMatch = Literal["string", "regex"]
TrackerName = Literal["tensorboard", "wandb"]
SimcsePreset = Literal[
    "simcse-unsup-bert-base",
    "simcse-unsup-bert-large",
    "simcse-unsup-roberta-base",
    "simcse-unsup-roberta-large",
    "simcse-sup-bert-base",
    "simcse-sup-bert-large",
    "simcse-sup-roberta-base",
    "simcse-sup-roberta-large",
]
DprPreset = Literal["dpr-nq-bert-base"]
DataKind = Literal["dpr", "simcse"]
Severity = Literal["note", "warning", "error"]
FailOn = Literal["error", "warning", "never"]
