"""Masked language modelling over an encoder's own transformer: SimCSE's auxiliary loss (Gao et al., 2021, appendix D.2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from retriever.encoding.device import autocast
from retriever.encoding.encoder import Encoder
from retriever.encoding.hugging_face import quiet_transformers
from retriever.encoding.locate import locate_model
from retriever.encoding.model_folder import transformer_folder
from retriever.encoding.states import token_states
from retriever.encoding.tokens import Tokens
from retriever.errors import InputError

IGNORED = -100
"""The label of a token that is not predicted."""

MASKED_SHARE = 0.15
"""BERT's share of tokens to predict; SimCSE keeps it."""


def mask_tokens(
    tokens: Tokens,
    *,
    mask_id: int,
    vocabulary_size: int,
    special_ids: Sequence[int],
    share: float = MASKED_SHARE,
    generator: torch.Generator,
) -> tuple[Tokens, Tensor]:
    """Choose tokens to predict and hide them as BERT does: 80 % become the mask, 10 % a random token, 10 % stay.

    Args:
        tokens: N texts, on the CPU.
        mask_id: the id of the mask token.
        vocabulary_size: random tokens are drawn below this id.
        special_ids: ids that are never chosen.
        share: probability with which each other token is chosen.
        generator: the source of every random choice.

    Returns:
        The texts to run, and (S,) labels: the original id where a token was chosen, ``IGNORED`` elsewhere.
    """
    ids = tokens.ids
    chosen = torch.rand(ids.shape, generator=generator) < share
    chosen &= ~torch.isin(ids, torch.tensor(special_ids, dtype=torch.int64))
    fate = torch.rand(ids.shape, generator=generator)
    random_ids = torch.randint(vocabulary_size, ids.shape, generator=generator)
    hidden = torch.where(fate < 0.8, mask_id, torch.where(fate < 0.9, random_ids, ids))
    masked = Tokens(torch.where(chosen, hidden, ids), tokens.offsets, tokens.num_truncated)
    return masked, torch.where(chosen, ids, IGNORED)


class MaskedLanguageModel(nn.Module):
    """An encoder and the masked-language-model head of the checkpoint that it was loaded from.

    The transformer is the encoder's own, so the loss trains it. The head's decoder is tied to its word embeddings where the
    checkpoint's configuration ties the two, as it does for BERT and RoBERTa (SimCSE's code lets them drift apart). The head
    belongs to training: ``Encoder.save`` does not write it.

    Args:
        encoder: shared, not copied; it is a submodule, so ``parameters`` and ``state_dict`` cover it too.
        model: the checkpoint as a masked language model. All but its transformer is kept, and it serves as the head.
    """

    def __init__(self, encoder: Encoder, model: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = model
        setattr(model, model.base_model_prefix, encoder.transformer)
        model.tie_weights()
        setattr(model, model.base_model_prefix, GivenStates())
        self.to(encoder.device).train(encoder.training)

    @classmethod
    def load(cls, encoder: Encoder, name: str | Path) -> MaskedLanguageModel:
        """Give an encoder the head of its checkpoint.

        Args:
            encoder: as loaded from ``name``.
            name: as for ``Encoder.load``.

        Raises:
            InputError: the checkpoint has no such head, or its tokenizer no mask token.
        """
        none = f"model '{name}' has no masked-language-model head"
        remedy = "leave out --mlm, or take a checkpoint that was trained as a masked language model, such as bert-base-uncased"
        if encoder.tokenizer.mask_token_id is None:
            raise InputError(f"{none}: its tokenizer has no mask token; {remedy}")
        try:
            with quiet_transformers():
                model, report = AutoModelForMaskedLM.from_pretrained(
                    transformer_folder(locate_model(str(name))),
                    trust_remote_code=False,
                    output_loading_info=True,
                    use_safetensors=True,
                    ignore_mismatched_sizes=True,  # reported, with their names, instead of raised
                    dtype=torch.float32,
                )
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise InputError(f"{none}: {str(error).splitlines()[0]}; {remedy}") from error
        absent = sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])})
        if absent:
            raise InputError(f"{none}: {absent[0]} is not among its weights, or of another shape; {remedy}")
        loaded = cls(encoder, model)
        try:
            with torch.no_grad():
                loaded.logits(torch.zeros(1, encoder.transformer.config.hidden_size, device=encoder.device))
        except (AttributeError, TypeError, RuntimeError) as error:
            raise InputError(f"{none} that runs on states alone ({error}); {remedy}") from error
        return loaded

    def mask(self, tokens: Tokens, generator: torch.Generator) -> tuple[Tokens, Tensor]:
        """``mask_tokens`` with the ids of this model's tokenizer."""
        tokenizer = self.encoder.tokenizer
        return mask_tokens(
            tokens,
            mask_id=tokenizer.mask_token_id,
            vocabulary_size=len(tokenizer),
            special_ids=tokenizer.all_special_ids,
            generator=generator,
        )

    def loss_sum(self, masked: Tokens, labels: Tensor) -> Tensor:
        """Cross-entropy of the tokens that were chosen, summed: the sums of the parts of a batch add up to the whole's.

        Args:
            masked: N texts, masked.
            labels: (S,) on the CPU, ``IGNORED`` where nothing is predicted.

        Returns:
            () float32; 0, with gradients of 0, when nothing is predicted.
        """
        encoder = self.encoder
        tokens, chosen = masked.to(encoder.device), (labels != IGNORED).nonzero().squeeze(1)  # (M,)
        with autocast(encoder.device, encoder.precision):
            states = token_states(encoder.transformer, tokens, encoder.position_offset, all_layers=False)[-1]
            # the head runs on these alone: its product with the vocabulary is dearer than a layer
            states = states.index_select(0, chosen.to(encoder.device))  # (S, H) → (M, H)
            logits = self.logits(states)  # (M, vocabulary)
        expected = labels[chosen].to(encoder.device)
        return nn.functional.cross_entropy(logits.float(), expected, reduction="sum")

    def logits(self, states: Tensor) -> Tensor:
        """(M, H) token states → (M, vocabulary): the head alone."""
        output: Tensor = self.head(inputs_embeds=states[None]).logits
        return output[0]


class GivenStates(nn.Module):
    """Stands where a masked language model has its transformer: the states that it is given are the states it returns.

    So each architecture's own code runs its head, whatever that consists of.
    """

    def forward(self, *_: object, inputs_embeds: Tensor, **__: object) -> BaseModelOutput:
        """(1, M, H) → the same, as the output of a transformer."""
        return BaseModelOutput(last_hidden_state=inputs_embeds)
