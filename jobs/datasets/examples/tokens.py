"""Tokens: how long an example is for the very tokenizer and chat template that training will use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.errors import OperatorError

_CHATML_MARK = "<|im_start|>"


class TokenCounter:
    """Counts tokens as mlx-lm's ChatDataset does: the chat template over the messages, nothing added.

    Args:
        tokenizer: A folder with a tokenizer and its chat template.

    Raises:
        OperatorError: The folder holds no tokenizer, or one without a chat template.
    """

    def __init__(self, tokenizer: Path) -> None:
        from transformers import AutoTokenizer

        remedy = "The base model's folder must hold a complete tokenizer with a chat template."
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(str(tokenizer), local_files_only=True)
        except (OSError, ValueError) as error:
            raise OperatorError(
                f"{tokenizer} holds no tokenizer that can be read: {error}.", remedy
            ) from error
        if not self._tokenizer.chat_template:
            raise OperatorError(f"The tokenizer in {tokenizer} has no chat template.", remedy)

    @property
    def template_name(self) -> str:
        """ "chatml" where the template writes ChatML's marks, else "tokenizer" (the model's own)."""
        return "chatml" if _CHATML_MARK in str(self._tokenizer.chat_template) else "tokenizer"

    def count(self, messages: Sequence[dict[str, str]]) -> tuple[int, int]:
        """Tokens of the prompt (with the opening of the answer) and of the whole conversation."""
        prompt = self._ids(messages[:-1], add_generation_prompt=True)
        return len(prompt), self.total(messages)

    def total(self, messages: Sequence[dict[str, str]]) -> int:
        """The length in tokens of the whole conversation: what must fit `max_seq_length`."""
        return len(self._ids(messages, add_generation_prompt=False))

    def _ids(self, messages: Sequence[dict[str, str]], *, add_generation_prompt: bool) -> list[int]:
        ids: list[int] = self._tokenizer.apply_chat_template(
            list(messages), tokenize=True, return_dict=False, add_generation_prompt=add_generation_prompt
        )
        return ids
