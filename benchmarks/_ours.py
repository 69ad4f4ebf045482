"""Our side of a training benchmark, in a process of its own."""

import time
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from _turns import PASSAGE_FORMAT, SCALE, Job, Turns, device_peak


def train_ours(line: Connection, job: Job) -> None:
    """Train as ``ctl`` does, with its defaults; then tell what the work was."""
    from retriever.config.training import TrainDprConfig, TrainSimcseConfig
    from retriever.data.files import read_json
    from retriever.training.dpr import train_dpr
    from retriever.training.simcse import train_simcse

    turns = Turns(line, job)
    turns.wait({})
    shared: dict[str, Any] = {
        "train": (job.train,),
        "output": job.output / "ours",
        "model": job.model,
        "batch_size": job.batch_size,
        "learning_rate": job.learning_rate,
        "epochs": job.steps,
        "max_steps": job.steps,
        "chunk_tokens": None if job.chunk_tokens is None else str(job.chunk_tokens),
        "checkpoint_every": job.steps + 1,
    }
    if job.recipe == "simcse":
        run = train_simcse(
            TrainSimcseConfig(**shared, max_length=job.max_length, temperature=1 / SCALE),
            progress=turns.progress,
        )
    else:
        dpr: dict[str, Any] = {
            "passage_max_length": job.max_length,
            "query_max_length": job.query_max_length,
            "num_hard_negatives": job.num_hard_negatives,
            "passage_format": PASSAGE_FORMAT,
            "similarity": "cosine",
            "temperature": 1 / SCALE,
        }
        run = train_dpr(TrainDprConfig(**shared, **dpr), progress=turns.progress)
    environment = read_json(run / "environment.json")
    assert isinstance(environment, dict)
    line.send(
        {"precision": environment["precision"], "device_peak": device_peak(), "loop": "ctl", **our_work(job)}
    )


def our_work(job: Job) -> dict[str, float]:
    """Tokens of an example, and what a step owes to the work before the first: the peer tokenizes in its steps."""
    from retriever.data.dpr import read_dpr_examples
    from retriever.data.simcse import read_simcse_examples
    from retriever.encoding.dual_encoder import DualEncoder
    from retriever.encoding.encoder import Encoder
    from retriever.training.dpr import dpr_training_set
    from retriever.training.simcse import simcse_training_set

    encoder = Encoder.load(job.model, max_length=job.max_length, passage_format=PASSAGE_FORMAT)
    encoder.settings = replace(encoder.settings, query_max_length=job.query_max_length)
    if job.recipe == "simcse":
        sentences = list(read_simcse_examples(job.train))
        started = time.perf_counter()
        simcse_training_set(sentences, encoder, max_length=job.max_length)
        seconds = time.perf_counter() - started
        tokens = 2 * len(encoder.tokenize([each.anchor for each in sentences], max_length=job.max_length).ids)
        count = len(sentences)
    else:
        model, questions = DualEncoder(encoder), list(read_dpr_examples(job.train))
        started = time.perf_counter()
        dpr_training_set([questions], model)
        seconds = time.perf_counter() - started
        passages = [passage for each in questions for passage in (*each.positives, *each.hard_negatives)]
        tokens = len(model.tokenize_queries([each.query.text for each in questions]).ids)
        tokens += len(model.tokenize_passages(passages).ids)
        count = len(questions)
    return {
        "tokens_per_example": tokens / count,
        "preparation_seconds_a_step": seconds / (count // job.batch_size),
    }
