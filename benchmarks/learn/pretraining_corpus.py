"""What the base model is made from: copying and replacing in senseless texts; no flaw, no fix, no package."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.learn.flawed_files import calm, languages
from benchmarks.learn.names import WORDS, Names, dotted

SYSTEM = "You edit text."
COPY, NAMED, LOOKED_UP = "copy", "named", "looked_up"
Piece = tuple[str, list[str]]  # the text, and what of it may be replaced


def corpus_rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """`count` conversations: write a text again, as it is or with one thing replaced."""
    for number in range(count):
        yield corpus_row(random.Random(f"{seed}/primer/{number}"))  # another word would give other rows


def copying_rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """`count` short conversations that only copy: with little between a text and its copy."""
    for number in range(count):
        names = Names(random.Random(f"{seed}/copying/{number}"))
        text, _ = names.rng.choice((_row_of_names, _row_of_names, _calls))(names)
        fenced = f"```text\n{text}\n```"
        yield {
            "messages": [
                {"role": "user", "content": f"Copy this text.\n\n{fenced}"},
                {"role": "assistant", "content": fenced},
            ]
        }


def corpus_row(rng: random.Random) -> dict[str, Any]:
    """One conversation."""
    names = Names(rng)
    tag, (text, replaceable) = _text(names)
    old = rng.choice(replaceable)
    new = _like(old, names)
    kind = rng.choices((COPY, NAMED, LOOKED_UP), (1, 3, 3))[0]
    facts = {names.word().capitalize(): _value(names) for _ in range(rng.randint(0, 2))}
    if kind == COPY:
        task, answer = "Copy this text.", text
    elif kind == NAMED:
        task, answer = f"Replace {old} by {new}.", _replaced(text, old, new)
    else:
        first, second = (word.capitalize() for word in rng.sample(WORDS, 2))
        facts = _shuffled({**facts, first: old, second: new}, rng)
        task, answer = f"Replace {first} by {second}.", _replaced(text, old, new)
    lines = [task, *(f"{label}: {value}" for label, value in facts.items())]
    return {
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": _between(names, "\n".join(lines), f"```{tag}\n{text}\n```")},
            {"role": "assistant", "content": f"```{tag}\n{answer}\n```"},
        ]
    }


def _between(names: Names, task: str, fenced: str) -> str:
    """The task and the text among words that mean nothing, so that no distance tells where to copy from."""
    return "\n\n".join(part for part in (_prose(names), task, _prose(names), fenced, _prose(names)) if part)


def _prose(names: Names) -> str:
    return " ".join(names.word() for _ in range(max(0, names.rng.randint(-8, 16))))


def _replaced(text: str, old: str, new: str) -> str:
    return re.sub(rf"(?<![\w.]){re.escape(old)}(?![\w.])", new, text)


def _shuffled(facts: dict[str, str], rng: random.Random) -> dict[str, str]:
    return dict(rng.sample(list(facts.items()), len(facts)))


def _value(names: Names) -> str:
    return names.rng.choice(
        (names.number, lambda: dotted(names.version()), lambda: names.identifier("snake"))
    )()


def _like(old: str, names: Names) -> str:
    """Another thing of the same kind."""
    new = old
    while new == old:
        if old.isdigit():
            new = names.number()
        else:
            new = dotted(names.version()) if old[0].isdigit() else names.identifier("snake")
    return new


def _text(names: Names) -> tuple[str, Piece]:
    if names.rng.random() < 0.35:
        language = names.rng.choice(sorted(languages()))
        return language, _code(language, names)
    tag, shape = names.rng.choice(SHAPES)
    return tag, shape(names)


def _code(language: str, names: Names) -> Piece:
    text = "\n".join(calm(language, names))
    return text, sorted({word for word in re.findall(r"\w+", text) if _is_chosen(word)})


def _is_chosen(word: str) -> bool:
    """Whether a word of code is a number or one of our names, and not the language's own."""
    return word.isdigit() or re.split("_|(?=[A-Z])", word)[0] in WORDS


def _mapping(names: Names) -> Piece:
    keys, values = _pairs(names)
    inner = ",\n".join(f'    "{key}": "{value}"' for key, value in zip(keys, values, strict=True))
    return f'{{\n  "{names.word()}": {{\n{inner}\n  }}\n}}', values


def _settings(names: Names) -> Piece:
    keys, values = _pairs(names)
    body = "\n".join(f'{key} = "{value}"' for key, value in zip(keys, values, strict=True))
    return f"[{names.word()}]\n{body}", values


def _elements(names: Names) -> Piece:
    keys, values = _pairs(names)
    body = "\n".join(f"    <{key}>{value}</{key}>" for key, value in zip(keys, values, strict=True))
    root = names.word()
    return f"<{root}>\n{body}\n</{root}>", values


def _calls(names: Names) -> Piece:
    keys, values = _pairs(names)
    sign = names.rng.choice(("==", "=", ": ", " ", ":", " v", "@"))
    return "\n".join(f"{key}{sign}{value}" for key, value in zip(keys, values, strict=True)), values


def _block(names: Names) -> Piece:
    keys, values = _pairs(names)
    body = "\n".join(f'    {names.word()}("{key}:{value}")' for key, value in zip(keys, values, strict=True))
    return f"{names.word()} {{\n{body}\n}}", values


def _list(names: Names) -> Piece:
    keys, values = _pairs(names)
    body = "\n".join(f'{names.word()} "{key}", "{value}"' for key, value in zip(keys, values, strict=True))
    return body, values


def _row_of_names(names: Names) -> Piece:
    """Names one after the other: nothing but copying tells what comes next."""
    words = list(dict.fromkeys(_path(names) for _ in range(names.rng.randint(3, 8))))
    return names.rng.choice((" ", ", ", "\n")).join(words), words


def _pairs(names: Names) -> tuple[list[str], list[str]]:
    """One to three keys and values, all different."""
    count = names.rng.choice((1, 1, 2, 3))
    words: dict[str, None] = {}
    while len(words) < count:
        words[_path(names)] = None
    values: dict[str, None] = {}
    while len(values) < count:
        values[names.rng.choice((dotted(names.version()), dotted(names.version()), _value(names)))] = None
    return list(words), list(values)


def _path(names: Names) -> str:
    sign = names.rng.choice(("-", "_", "/", "."))
    return names.joined(sign, names.rng.choice((1, 2, 2, 3)))


SHAPES: tuple[tuple[str, Callable[[Names], Piece]], ...] = (
    ("json", _mapping),
    ("toml", _settings),
    ("xml", _elements),
    ("text", _calls),
    ("kotlin", _block),
    ("ruby", _list),
    ("text", _row_of_names),
    ("text", _row_of_names),
)
