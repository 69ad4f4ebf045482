"""The sentence encoder: text → tokens → embeddings. Everything that embeds text goes through this class."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from retriever.choices import PassageFormat, PoolingRequest, Precision, TextRole
from retriever.encoding.device import autocast, choose_device, choose_precision, prepare_device
from retriever.encoding.dropout import use_cheap_dropout
from retriever.encoding.head import asked_settings, read_head
from retriever.encoding.hugging_face import load_transformer, quiet_transformers
from retriever.encoding.locate import locate_model
from retriever.encoding.model_folder import (
    ACTIVATIONS,
    DUAL_ENCODER_FILE,
    EncoderSettings,
    read_settings,
    transformer_folder,
    write_settings,
)
from retriever.encoding.pooling import needs_all_layers, pool
from retriever.encoding.states import packed_position_offset, token_states
from retriever.encoding.tokens import Tokens, prepare, tokenize
from retriever.errors import InputError
from retriever.heap import keep_few_kernels
from retriever.protocols import Progress, no_progress

logger = logging.getLogger(__name__)

TOKENS_PER_BATCH = {"cpu": 2_048, "mps": 16_384, "cuda": 65_536}
"""Tokens in one forward of ``encode``: on a CPU as many as its caches hold the states of (a tenth faster than 16,384, measured by
``benchmarks/encode.py``), on a GPU enough for its work to outlast Python's."""

WINDOW = 4096
"""Texts that are tokenized, and ordered by their length, together."""


class Encoder(nn.Module):
    """A transformer, its tokenizer and the settings that make an embedding of a text.

    Args:
        transformer: any Hugging Face encoder.
        tokenizer: its tokenizer.
        settings: pooling, lengths, prompts and the rest.
        head: linear layer on the pooled embedding, followed by ``settings.head_activation``.
        precision: bf16 or fp32; embeddings are fp32 either way.
        name: what the user called this model, for messages.

    Attributes:
        declared_length: tokens per text as the folder declares them, whatever ``load`` was asked for; 0: as many as there are
            positions for.
    """

    def __init__(
        self,
        transformer: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: EncoderSettings,
        *,
        head: nn.Linear | None = None,
        precision: Precision = "fp32",
        name: str = "encoder",
    ) -> None:
        super().__init__()
        if (head is None) != (settings.head_activation is None):
            raise ValueError("a head needs settings.head_activation, and the other way round")
        keep_few_kernels()
        use_cheap_dropout(transformer)
        self.transformer, self.head = transformer, head
        self.tokenizer, self.precision, self.name = tokenizer, precision, name
        self.position_offset = packed_position_offset(transformer)  # None: this architecture runs padded
        self.settings = replace(settings, max_length=self._longest(settings.max_length))
        self.declared_length = self.settings.max_length
        self._told_of_cuts: set[TextRole | None] = set()

    @classmethod
    def load(
        cls,
        name: str | Path,
        *,
        pooling: PoolingRequest | None = None,
        max_length: int | None = None,
        passage_format: PassageFormat | None = None,
        device: str = "auto",
        precision: Precision = "auto",
    ) -> Encoder:
        """Load a model folder, a sentence-transformers folder, a Hugging Face folder or name, or ``packaged:NAME``.

        Args:
            name: the model.
            pooling: needed for a plain Hugging Face folder, which declares none (DPR's do); elsewhere it must agree with
                the folder. ``cls_head``: [CLS] through the checkpoint's own MLP.
            max_length: tokens per text, instead of what the folder declares.
            passage_format: how title and text become one input, instead of what the folder declares.
            device: auto, cpu, cuda, cuda:N or mps.
            precision: auto, bf16 or fp32.

        Raises:
            InputError: no such model or device, no weights, or settings that contradict the folder.
        """
        target = choose_device(device)
        prepare_device(target)
        folder = locate_model(str(name))
        if (folder / DUAL_ENCODER_FILE).is_file():
            raise InputError(
                f"holds two encoders: name {folder / 'query'} or {folder / 'passage'}", path=folder
            )
        settings = read_settings(folder) or asked_settings(folder, pooling, str(name))
        with_head = "cls_head" if settings.pooling == "cls" and settings.head_activation else None
        if pooling not in (None, settings.pooling, with_head):
            raise InputError(
                f"model '{name}' pools by {settings.pooling}, not {pooling}: --pooling {with_head or settings.pooling}, or another model"
            )
        declared_length = settings.max_length
        settings = replace(
            settings,
            max_length=max_length or declared_length,
            passage_format=passage_format or settings.passage_format,
        )
        transformer, tokenizer = load_transformer(transformer_folder(folder), str(name))
        encoder = cls(
            transformer,
            tokenizer,
            settings,
            head=read_head(folder, settings),
            precision=choose_precision(precision, target),
            name=str(name),
        )
        encoder.declared_length = declared_length
        return encoder.to(target).eval()

    def _longest(self, asked: int) -> int:
        """The maximum length to use: what was asked, if the transformer has positions for it; 0 asks for all there are."""
        positions = getattr(self.transformer.config, "max_position_embeddings", None) or 1_000_000
        limit = int(min(positions - (self.position_offset or 0), self.tokenizer.model_max_length))
        if asked > limit:
            raise InputError(f"max length {asked} is more than model '{self.name}' takes ({limit} tokens)")
        return asked or limit

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def dimension(self) -> int:
        """D, the embedding size."""
        return self.head.out_features if self.head is not None else self.transformer.config.hidden_size

    @property
    def fingerprint(self) -> str:
        """SHA-256 over weights, tokenizer and settings: equal fingerprints give equal embeddings.

        Computed from what is in memory, so the same model has the same fingerprint in any folder layout.
        """
        digest = sha256(json.dumps(self._settings_for_fingerprint, sort_keys=True).encode())
        for part in _parts_of_weights(self):
            digest.update(part)
        digest.update(self._tokenizer_state.encode())
        return digest.hexdigest()

    @property
    def _settings_for_fingerprint(self) -> dict[str, object]:
        """The settings that change an embedding; the index records passage format and length, which it may choose."""
        kept = self.settings
        prompts = {role: prompt for role, prompt in kept.prompts.items() if prompt}
        return {
            "pooling": kept.pooling,
            "normalize": kept.normalize,
            "prompts": prompts,
            "lowercase": kept.lowercase,
            "similarity": kept.similarity,
            "query_max_length": kept.query_max_length,
            "head": kept.head_activation,
        }

    @cached_property
    def _tokenizer_state(self) -> str:
        """The tokenizer's whole definition, without the truncation and padding of its last call."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            return json.dumps(self.tokenizer.get_vocab(), sort_keys=True)
        backend.no_truncation()
        backend.no_padding()
        return str(backend.to_str())

    def describe(self) -> str:
        """One line for people: what embeds, how, and where."""
        kept = self.settings
        head = "" if self.head is None else ", train-only head" if kept.head_train_only else ", head"
        only = {None: "", "query": " of questions only", "passage": " of passages only"}[kept.role]
        return (
            f"{self.name}: {kept.pooling} pooling{head}{only}, {kept.similarity}, {self.dimension} dimensions, "
            f"{kept.max_length} tokens, on {self.device} in {self.precision}"
        )

    def tokenize(
        self,
        texts: Sequence[str],
        titles: Sequence[str] | None = None,
        *,
        role: TextRole | None = None,
        max_length: int | None = None,
    ) -> Tokens:
        """N texts, or title and text pairs, → ragged ids, cut at the role's maximum length.

        Args:
            texts: the texts.
            titles: one title a text, put before it as the first half of a pair; an empty title: the text alone.
            role: query or passage, for the prompt and the length of that role; None: the default prompt, if any.
            max_length: instead of the role's own (SimCSE trains on shorter texts than it later embeds); 0: as many tokens as there
                are positions for.
        """
        own = (self.settings.query_max_length if role == "query" else None) or self.settings.max_length
        prompt = self.settings.prompts.get(role or "default", "")
        texts, titles = prepare(texts, titles, prompt=prompt, lowercase=self.settings.lowercase)
        return tokenize(
            self.tokenizer,
            texts,
            titles,
            max_length=own if max_length is None else self._longest(max_length),
        )

    def forward(self, tokens: Tokens) -> Tensor:
        """N texts → (N, D) float32 embeddings, with gradient when torch records one."""
        tokens = tokens.to(self.device)
        with autocast(self.device, self.precision):
            all_layers = needs_all_layers(self.settings.pooling)
            states = token_states(self.transformer, tokens, self.position_offset, all_layers=all_layers)
            embedding = pool(states, tokens.offsets, self.settings.pooling)  # (N, H)
            if self.head is not None and (self.training or not self.settings.head_train_only):
                activation = ACTIVATIONS[self.settings.head_activation or ""]
                embedding = activation(self.head(embedding)).float()  # (N, D)
        return nn.functional.normalize(embedding, dim=-1) if self.settings.normalize else embedding

    @torch.inference_mode()
    def encode(
        self,
        texts: Sequence[str],
        titles: Sequence[str] | None = None,
        *,
        role: TextRole | None = None,
        max_length: int | None = None,
        progress: Progress = no_progress,
    ) -> NDArray[np.float32]:
        """N texts → (N, D) float32 embeddings in the caller's order, dropout off.

        Texts are cut as ``tokenize`` cuts them, and run in order of their length, in batches of at most ``TOKENS_PER_BATCH`` tokens,
        or of one text that is longer; in smaller ones from then on where a batch does not fit into the device's memory.

        Raises:
            InputError: the model gives an embedding that is not finite, or not even one text fits.
        """
        if isinstance(texts, str):
            raise TypeError("encode takes a list of texts, got one string")
        result = np.empty((len(texts), self.dimension), dtype=np.float32)
        cut, limit = 0, TOKENS_PER_BATCH[self.device.type]
        with (
            self._evaluating(),
            autocast(self.device, self.precision),
            progress(len(texts), "encode") as advance,
        ):
            for start, tokens in self._windows(texts, titles, role, max_length):
                cut += tokens.num_truncated
                order, parts = tokens.longest_first(), []
                waiting = deque(tokens.select(order).to(self.device).split(limit))
                while waiting:
                    batch = waiting.popleft()
                    embeddings = self._embed_if_it_fits(batch)
                    if embeddings is None:
                        limit = len(batch.ids) // 2
                        logger.warning(
                            "%s: memory is short: %d tokens at a time from here on", self.name, limit
                        )
                        waiting = deque(part for each in (batch, *waiting) for part in each.split(limit))
                        continue
                    # they stay on the device: a GPU is asked for no result before the window's end
                    parts.append(embeddings)
                    advance(len(batch))
                result[start + order.numpy()] = torch.cat(parts).cpu().numpy()
        if not np.isfinite(result).all():
            raise InputError(f"model '{self.name}' gives embeddings that are not finite")
        if len(texts) >= 20 and cut > 0.05 * len(texts) and role not in self._told_of_cuts:
            self._told_of_cuts.add(role)  # else a corpus of many shards would hear it with each
            logger.warning(
                "%.0f %% of %d texts are longer than the model's maximum length and were cut",
                100 * cut / len(texts),
                len(texts),
            )
        return result

    def _embed_if_it_fits(self, tokens: Tokens) -> Tensor | None:
        """The forward; None: the memory of the device does not suffice, and there are several texts."""
        try:
            embeddings: Tensor = self(tokens)
        except torch.OutOfMemoryError as error:
            if len(tokens) == 1:
                raise InputError(
                    f"a text of {len(tokens.ids)} tokens does not fit into the memory of {self.device}"
                ) from error
            return None
        return embeddings

    def _windows(
        self,
        texts: Sequence[str],
        titles: Sequence[str] | None,
        role: TextRole | None,
        max_length: int | None = None,
    ) -> Iterator[tuple[int, Tokens]]:
        """First row and tokens of each window; while a GPU works on one, a thread makes the next (a CPU has no core to spare)."""

        def tokens_from(start: int) -> Tokens:
            part = slice(start, start + WINDOW)
            own = None if titles is None else titles[part]
            return self.tokenize(texts[part], own, role=role, max_length=max_length)

        starts = range(0, len(texts), WINDOW)
        if self.device.type == "cpu":
            yield from ((start, tokens_from(start)) for start in starts)
            return
        with ThreadPoolExecutor(1) as thread:
            waiting = deque(thread.submit(tokens_from, start) for start in starts[:2])
            for start in starts:
                yield start, waiting.popleft().result()
                if start + 2 * WINDOW < len(texts):
                    waiting.append(thread.submit(tokens_from, start + 2 * WINDOW))

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Evaluation mode inside, whatever mode it was before afterwards."""
        was_training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(was_training)

    def save(self, folder: str | Path) -> None:
        """Write a sentence-transformers folder plus encoder.json; the folder may exist."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        keeps_head = self.head is not None and not self.settings.head_train_only
        settings = replace(
            self.settings,
            head_activation=self.settings.head_activation if keeps_head else None,
            head_train_only=False,
        )
        config = self.transformer.config
        config.output_hidden_states = needs_all_layers(
            settings.pooling
        )  # sentence-transformers reads it from there
        if (backend := getattr(self.tokenizer, "backend_tokenizer", None)) is not None:
            backend.no_truncation()  # the last call's, which other programs would take for the model's
            backend.no_padding()
        with quiet_transformers():
            self.transformer.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        write_settings(
            folder,
            settings,
            hidden_size=config.hidden_size,
            num_layers=config.num_hidden_layers,
            head=self.head if keeps_head else None,
        )


def weights_sha256(*modules: nn.Module) -> str:
    """SHA-256 over names, shapes and values of all parameters and buffers."""
    digest = sha256()
    for part in chain.from_iterable(map(_parts_of_weights, modules)):
        digest.update(part)
    return digest.hexdigest()


def _parts_of_weights(module: nn.Module) -> Iterator[bytes | memoryview]:
    for name, each in sorted(module.state_dict().items()):
        yield f"{name}{tuple(each.shape)}".encode()
        yield each.detach().to("cpu", torch.float32).contiguous().numpy().data
