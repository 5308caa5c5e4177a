"""Greedy answers, most of them for the price of one forward pass: the reference is the draft.

Greedy decoding equals the reference exactly as far as the argmax at each answer position, given the
reference before it, is the reference's next token. Where they first part, decoding goes on from there
with the cache already filled, for several cases at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, can_trim_prompt_cache, make_prompt_cache, trim_prompt_cache

from jobs.mlx.training.loss import AnswerLoss, _head

PREFILL = 512  # prompt tokens per forward pass, to bound the memory of attention
TOGETHER = 4096  # padded tokens of prompts and drafts in one pass, to bound its memory
FIRST_LOOK = 32  # draft tokens in the first pass: most answers that are wrong part from the reference early
REFILL = 4  # a batch is filled up when this fraction (1/4) is free: joining copies the whole cache


@dataclass(frozen=True)
class Ending:
    """What ends an answer: one of the stop tokens, or its length in tokens."""

    stop: frozenset[int]
    limit: int


@dataclass(frozen=True)
class Question:
    """One case in tokens.

    Args:
        prompt: At least one token.
        reference: The expected answer, with or without its stop token; only a draft.
        ending: What ends the answer.
    """

    prompt: Sequence[int]
    reference: Sequence[int]
    ending: Ending


@dataclass(frozen=True)
class Generated:
    """One greedy answer: its tokens without the stop token, and whether the limit ended it."""

    tokens: list[int]
    truncated: bool
    drafted: int  # leading tokens that came from the reference


@dataclass
class _Row:
    """An answer in the making: its tokens so far, and the one that would be next."""

    number: int
    tokens: list[int]
    following: int
    ending: Ending
    cache: list[Any]
    drafted: int

    @property
    def is_finished(self) -> bool:
        return self.following in self.ending.stop or len(self.tokens) >= self.ending.limit

    @property
    def generated(self) -> Generated:
        return Generated(self.tokens, self.following not in self.ending.stop, self.drafted)


def greedy(model: Any, prompt: Sequence[int], reference: Sequence[int], ending: Ending) -> Generated:
    """The model's greedy answer to one question; see `Question`."""
    return next(greedy_answers(model, [Question(prompt, reference, ending)], 1))[1]


def greedy_answers(
    model: Any, questions: Sequence[Question], batch_size: int
) -> Iterator[tuple[int, Generated]]:
    """The model's greedy answer to each question, as it is found: (the question's position, answer).

    Args:
        model: An mlx-lm model.
        questions: Best in the order of their lengths, so that those beside each other need like room.
        batch_size: Answers that are continued at the same time, beyond what their drafts gave.
    """
    waiting = iter(_Beginnings(model, questions, batch_size))
    batch = _Batch(model)
    more = True
    while more or batch.rows:
        if more and (not batch.rows or len(batch.rows) <= batch_size - max(1, batch_size // REFILL)):
            begun = list(islice(waiting, batch_size - len(batch.rows)))
            more = bool(begun)
            yield from ((row.number, row.generated) for row in begun if row.is_finished)
            batch.join([row for row in begun if not row.is_finished])
        else:
            yield from ((row.number, row.generated) for row in batch.step())


def _shared_start(questions: Sequence[Question]) -> list[int]:
    """The tokens that every prompt begins with; each prompt keeps at least one of its own."""
    if len(questions) < 2:
        return []
    first, last = min(list(each.prompt) for each in questions), max(list(each.prompt) for each in questions)
    shortest = min(len(each.prompt) for each in questions) - 1
    same = next((n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), shortest)
    return first[: min(same, shortest)]


class _Beginnings:
    """Begins answers in the order of their questions, several in one pass where that can be done.

    The turns that all prompts begin with are computed once.
    """

    def __init__(self, model: Any, questions: Sequence[Question], batch_size: int) -> None:
        self.model = model
        self.questions = questions
        self.start = make_prompt_cache(model)
        # Rows are cut out of the common cache, and the output layer is applied to answers only: both must
        # be of the plain kind.
        together = AnswerLoss(model).sparse and all(type(layer) is KVCache for layer in self.start)
        self.most = batch_size if together else 1
        self.shared = _shared_start(questions) if together else []
        _prefill(model, self.shared, self.start)

    def __iter__(self) -> Iterator[_Row]:
        group: list[_Draft] = []
        for number, question in enumerate(self.questions):
            draft = _Draft(number, question)
            if group and not _fit([*group, draft], self.most):
                yield from self._begin(group)
                group = []
            group.append(draft)
        if group:
            yield from self._begin(group)

    def _begin(self, group: list[_Draft]) -> list[_Row]:
        """Go with each reference as far as the model would."""
        return [_begin_one(self.model, group[0])] if len(group) == 1 else self._begin_together(group)

    def _begin_together(self, group: list[_Draft]) -> list[_Row]:
        """All drafts in one pass, padded on the right, where no causal position before sees it."""
        known = len(self.shared)
        inputs = [draft.inputs[known:] for draft in group]
        width = max(map(len, inputs))
        padded = mx.array([row + [0] * (width - len(row)) for row in inputs])
        spans = [
            range(number * width + len(draft.question.prompt) - known - 1, number * width + len(row))
            for number, (draft, row) in enumerate(zip(group, inputs, strict=True))
        ]
        cache = self._cache_for(len(group))
        hidden = self.model.model(padded, cache=cache)
        chosen = hidden.reshape(-1, hidden.shape[-1])[mx.array([place for span in spans for place in span])]
        predicted = iter(_argmax_of_hidden(self.model, chosen))
        tokens = [list(islice(predicted, len(span))) for span in spans]
        return [_parted(draft, tokens[row], cache, row) for row, draft in enumerate(group)]

    def _cache_for(self, rows: int) -> list[Any]:
        cache = make_prompt_cache(self.model)
        for layer, start in zip(cache, self.start, strict=True):
            if self.shared:
                layer.keys, layer.values = (mx.repeat(part, rows, axis=0) for part in start.keys_and_values())
                layer.offset = start.offset
        return cache


@dataclass(frozen=True)
class _Draft:
    """A question with its number, and the reference as far as it may be taken."""

    number: int
    question: Question

    @cached_property
    def tokens(self) -> list[int]:
        return list(self.question.reference[: self.question.ending.limit])

    @cached_property
    def inputs(self) -> list[int]:
        return [*self.question.prompt, *self.tokens]

    def parts_at(self, place: int, token: int) -> bool:
        """Whether the answer ends or leaves the draft where `token` is predicted at `place`."""
        tokens = self.tokens
        return place == len(tokens) or token != tokens[place] or token in self.question.ending.stop

    def row(self, place: int, token: int, cache: list[Any]) -> _Row:
        """The answer from there on."""
        return _Row(self.number, self.tokens[:place], token, self.question.ending, cache, place)


def _fit(group: list[_Draft], most: int) -> bool:
    width = max(len(draft.inputs) for draft in group)
    return len(group) <= most and width <= PREFILL and width * len(group) <= TOGETHER


def _parted(draft: _Draft, predicted: list[int], cache: list[Any], row: int) -> _Row:
    place = next(place for place, token in enumerate(predicted) if draft.parts_at(place, token))
    length = len(draft.question.prompt) + place
    return draft.row(place, predicted[place], [_one_row(layer, row, length) for layer in cache])


def _argmax_of_hidden(model: Any, hidden: mx.array) -> list[int]:
    predicted: list[int] = []
    for start in range(0, len(hidden), PREFILL):
        logits = _head(model)(hidden[start : start + PREFILL])
        predicted += mx.argmax(logits, axis=-1).tolist()
    return predicted


def _one_row(layer: KVCache, number: int, length: int) -> KVCache:
    own = KVCache()
    own.keys = layer.keys[number : number + 1, :, :length]
    own.values = layer.values[number : number + 1, :, :length]
    own.offset = length
    return own


def _begin_one(model: Any, draft: _Draft) -> _Row:
    """One draft, in pieces: what comes after its first wrong token is not computed."""
    prompt = draft.question.prompt
    cache = make_prompt_cache(model)
    _prefill(model, prompt[:-1], cache)
    if not can_trim_prompt_cache(cache):  # a cache that cannot go back cannot hold a draft
        return draft.row(0, _argmax(model, prompt[-1:], cache)[0], cache)
    inputs = [prompt[-1], *draft.tokens]
    done = 0
    while True:
        piece = inputs[done : done + min(PREFILL, max(FIRST_LOOK, done))]
        for place, token in enumerate(_argmax(model, piece, cache), done):
            if draft.parts_at(place, token):
                trim_prompt_cache(cache, done + len(piece) - place - 1)
                return draft.row(place, token, cache)
        done += len(piece)


class _Batch:
    """Answers that are continued together, each with its own room in one cache."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.rows: list[_Row] = []
        self.cache: list[Any] = []
        self.present = mx.array([], mx.int32)  # each row's next token, on the device, not looked at yet

    def join(self, rows: list[_Row]) -> None:
        if not rows:
            return
        merged = [type(layers[0]).merge(layers) for layers in zip(*(row.cache for row in rows), strict=True)]
        for row in rows:
            row.cache = []
        tokens = mx.array([row.following for row in rows], mx.int32)
        if self.rows:
            for layer, other in zip(self.cache, merged, strict=True):
                layer.extend(other)
            tokens = mx.concatenate([self.present, tokens])
        else:
            self.cache = merged
        self.present = tokens
        self.rows = [*self.rows, *rows]

    def step(self) -> list[_Row]:
        """One token more for each row; those that are finished leave.

        The next step is on its way before this one's tokens are looked at, so that the device never waits;
        what it does for a row that has just ended is thrown away.
        """
        logits = self.model(self.present[:, None], cache=self.cache)
        following = mx.argmax(logits[:, -1], axis=-1).astype(mx.int32)
        mx.async_eval(following)
        for row, token in zip(self.rows, self.present.tolist(), strict=True):
            row.following = token
        self.present = following
        finished = [row for row in self.rows if row.is_finished]
        if finished:
            self._leave()
        for row in self.rows:
            row.tokens.append(row.following)
        return finished

    def _leave(self) -> None:
        kept = [index for index, row in enumerate(self.rows) if not row.is_finished]
        self.rows = [self.rows[index] for index in kept]
        if not kept:
            self.cache = []
            return
        chosen = mx.array(kept)
        for layer in self.cache:
            layer.filter(chosen)
        self.present = self.present[chosen]


def _prefill(model: Any, tokens: Sequence[int], cache: list[Any]) -> None:
    for start in range(0, len(tokens), PREFILL):
        model(mx.array(tokens[start : start + PREFILL])[None], cache=cache)
        # Only the cache is evaluated: the output layer of prompt positions is never computed.
        mx.eval([layer.state for layer in cache])


def _argmax(model: Any, tokens: Sequence[int], cache: list[Any]) -> list[int]:
    logits = model(mx.array(tokens)[None], cache=cache)
    return [int(token) for token in mx.argmax(logits[0], axis=-1).tolist()]
