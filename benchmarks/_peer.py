"""sentence-transformers' side of a training benchmark, in a process of its own."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from itertools import chain, islice, repeat
from multiprocessing.connection import Connection
from typing import Any

from _turns import SCALE, Job, Turns, device_peak


def train_peer(line: Connection, job: Job) -> None:
    """Train with sentence-transformers; then tell what the work was."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    with_trainer = find_spec("datasets") is not None and find_spec("accelerate") is not None
    if with_trainer:  # imported before the baseline of the memory is taken
        from sentence_transformers import SentenceTransformerTrainer  # noqa: F401
    turns = Turns(line, job)
    turns.wait({})
    model = SentenceTransformer(job.model)
    model.max_seq_length = job.max_length
    loss = MultipleNegativesRankingLoss(model, scale=SCALE)
    columns: dict[str, list[str]] = json.loads(job.columns.read_text(encoding="utf-8"))
    (peer_trainer if with_trainer else peer_loop)(loss, columns, job, turns.step)
    line.send(
        {
            "precision": "bf16" if job.bf16 else "fp32",
            "device_peak": device_peak(),
            "loop": "SentenceTransformerTrainer"
            if with_trainer
            else "own loop, as datasets is not installed",
            **peer_work(model, columns, job.batch_size),
        }
    )


def peer_trainer(
    loss: Any,  # noqa: ANN401  (the peer's types are not needed to read this file)
    columns: Mapping[str, Sequence[str]],
    job: Job,
    step: Callable[[], None],
) -> None:
    """Its trainer with its defaults; nothing is evaluated, saved or reported."""
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from transformers import TrainerCallback

    class Ticks(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            step()

    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(job.output / "peer"),
        per_device_train_batch_size=job.batch_size,
        max_steps=job.steps,
        learning_rate=job.learning_rate,
        bf16=job.bf16,
        use_cpu=not torch.cuda.is_available(),
        dataloader_drop_last=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SentenceTransformerTrainer(
        model=loss.model,
        args=arguments,
        train_dataset=Dataset.from_dict(dict(columns)),
        loss=loss,
        callbacks=[Ticks()],
    )
    trainer.train()


def peer_loop(
    loss: Any,  # noqa: ANN401  (as above)
    columns: Mapping[str, Sequence[str]],
    job: Job,
    step: Callable[[], None],
) -> None:
    """Its model, tokenizer and loss in its trainer's own steps, but nothing else: it may be faster than the trainer."""
    import torch
    from sentence_transformers.util import batch_to_device
    from torch.utils.data import DataLoader
    from transformers import get_linear_schedule_with_warmup

    model = loss.model
    rows: Any = list(zip(*columns.values(), strict=True))
    batches = DataLoader(
        rows,
        job.batch_size,
        shuffle=True,
        drop_last=True,
        collate_fn=lambda batch: [preprocess(model, list(texts)) for texts in zip(*batch, strict=True)],
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=job.learning_rate, weight_decay=0.0, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, job.steps)
    labels = torch.zeros(job.batch_size, device=model.device)
    model.train()
    for features in islice(chain.from_iterable(repeat(batches)), job.steps):
        on_device = [batch_to_device(each, model.device) for each in features]
        with torch.autocast(model.device.type, torch.bfloat16, enabled=job.bf16):
            value = loss(on_device, labels)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        step()


def peer_work(
    model: Any,  # noqa: ANN401  (as above)
    columns: Mapping[str, Sequence[str]],
    batch_size: int,
) -> dict[str, float]:
    """Tokens of an example, and with the padding of the batches that it trains on (in another order)."""
    tokens = padded = 0
    for texts in columns.values():
        for start in range(0, len(texts), batch_size):
            mask = preprocess(model, list(texts[start : start + batch_size]))["attention_mask"]
            tokens += int(mask.sum())
            padded += mask.numel()
    examples = len(next(iter(columns.values())))
    return {"tokens_per_example": tokens / examples, "padded_tokens_per_example": padded / examples}


def preprocess(model: Any, texts: list[str]) -> dict[str, Any]:  # noqa: ANN401  (as above)
    """Texts → padded token ids and mask, by the peer's own method, which has had two names."""
    method = model.preprocess if hasattr(model, "preprocess") else model.tokenize
    features: dict[str, Any] = method(texts)
    return features
