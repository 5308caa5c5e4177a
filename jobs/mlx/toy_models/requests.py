"""What the children that build small models are asked for; nothing here imports mlx."""

from __future__ import annotations

from pathlib import Path

from jobs.children.request import Request


class ModelShape(Request, frozen=True, kw_only=True):
    """The size of a model of the OLMo-2 architecture.

    Args:
        vocabulary: Tokens, at most.
        hidden: Its width.
        intermediate: Width of the feed-forward layers.
        layers: Blocks.
        heads: Attention heads per block.
    """

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int


class TinyModelRequest(Request, frozen=True, kw_only=True):
    """The demo's model, which has looked at code for seconds.

    Args:
        out: The model folder to write.
        texts: Files the tokenizer learns from.
        corpus: Files the weights are pretrained on.
        steps: Steps on windows of those; 0 leaves the weights random.
        rate: Learning rate of these steps.
        shape: The model's size.
        seed: Of weights and windows.
    """

    out: Path
    texts: tuple[Path, ...]
    corpus: tuple[Path, ...]
    steps: int
    rate: float
    shape: ModelShape
    seed: int


class CopyModelRequest(Request, frozen=True, kw_only=True):
    """The proof's model, which is trained from scratch until it can copy.

    Args:
        out: The model folder to write.
        texts: A JSONL file of conversations that the tokenizer learns from.
        corpus: One that the weights are pretrained on, once through.
        rate: Highest learning rate.
        copying_steps: Steps of random copies before the corpus, at most.
        tokens: Padded tokens a batch.
        max_seq_length: Tokens of the longest conversation.
        shape: The model's size.
        seed: Of weights, copies and order.
        data_sha256: Of both files; other data is then other work.
        code_sha256: Of the code that decides the weights.
    """

    out: Path
    texts: Path
    corpus: Path
    rate: float
    copying_steps: int
    tokens: int
    max_seq_length: int
    shape: ModelShape
    seed: int
    data_sha256: tuple[str, ...]
    code_sha256: tuple[str, ...]
