"""A tiny base model of the OLMo-2 architecture, built on the spot for the demo and the tests.

Its byte-level BPE tokenizer is trained on the texts it is given; its weights start random and, where
`steps` is above 0, are pretrained on windows of a corpus for that many steps, so that it knows what code
looks like. It is a specimen: nobody should expect sense from it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers
import numpy as np
from mlx_lm.models import olmo2
from mlx_lm.utils import save_config, save_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from jobs.children import entry
from jobs.children.entry import Assignment
from jobs.fs import files
from jobs.mlx.toy_models.requests import ModelShape, TinyModelRequest

END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WINDOW = 128  # tokens
BATCH = 2  # windows


def run(assignment: Assignment[TinyModelRequest]) -> dict[str, Any]:
    """Build the model folder `out`.

    Returns:
        Its size, and the pretraining's first and last loss in nats per token (null without one).
    """
    request = assignment.payload
    staging = assignment.work / "model"
    shutil.rmtree(staging, ignore_errors=True)
    files.private_folder(staging)
    tokenizer = build_tokenizer(_texts(request.texts), request.shape.vocabulary)
    tokenizer.save_pretrained(staging)
    mx.random.seed(request.seed)
    config = model_config(request.shape, tokenizer)
    model = olmo2.Model(olmo2.ModelArgs.from_dict(config))
    losses = _pretrain(assignment, model, tokenizer) if request.steps else []
    save_model(staging, model)
    save_config(config, staging / "config.json")
    files.private_folder(request.out.parent)
    files.replace_folder(staging, request.out)
    parameters = sum(value.size for _, value in mlx.utils.tree_flatten(model.parameters()))
    return {
        "parameters": parameters,
        "vocabulary": len(tokenizer),
        "primer_first_loss": losses[0] if losses else None,
        "primer_last_loss": losses[-1] if losses else None,
    }


def build_tokenizer(texts: Iterator[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with a ChatML template; an answer ends with `<|im_end|>`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END, START, STOP],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=STOP, pad_token=END)
    fast.chat_template = CHATML
    return fast


def model_config(shape: ModelShape, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The model's config.json."""
    return {
        "model_type": "olmo2",
        "architectures": ["Olmo2ForCausalLM"],
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "intermediate_size": shape.intermediate,
        "num_attention_heads": shape.heads,
        "rms_norm_eps": 1e-6,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _texts(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            for line in text.splitlines():
                yield from (value for value in json.loads(line).values() if isinstance(value, str))
        else:
            yield text


def _pretrain(
    assignment: Assignment[TinyModelRequest], model: Any, tokenizer: PreTrainedTokenizerFast
) -> list[float]:
    request = assignment.payload
    tokens = np.array(
        [token for text in _texts(request.corpus) for token in tokenizer.encode(text)], np.int32
    )
    chance = np.random.default_rng(request.seed)
    optimizer = mlx.optimizers.AdamW(learning_rate=request.rate)
    step = nn.value_and_grad(model, _next_token_loss)
    losses = []
    for number in range(1, request.steps + 1):
        starts = chance.integers(0, len(tokens) - WINDOW - 1, BATCH)
        batch = mx.array(np.stack([tokens[start : start + WINDOW + 1] for start in starts]))
        loss, gradient = step(model, batch)
        optimizer.update(model, gradient)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss.item())
        assignment.report(
            phase="pretraining", iteration=number, iterations=request.steps, train_loss=losses[-1]
        )
    return losses


def _next_token_loss(model: Any, tokens: mx.array) -> mx.array:
    return nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:]).mean()


if __name__ == "__main__":
    entry.main(run, TinyModelRequest)
