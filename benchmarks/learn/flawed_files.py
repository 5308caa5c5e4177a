"""Small files with one flaw and its fix, filled from data/code.yaml with names by chance."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from benchmarks.learn.names import Names

CODE = Path(__file__).parent / "data" / "code.yaml"
SLOT = re.compile(r"@([a-zA-Z])@")
ROOM = re.compile(r"~(\d)")
VARIABLES, WORDS = "abcdfT", "stu"


@dataclass(frozen=True)
class Flaw:
    """One kind of flaw in one language: marked lines (" ", "-", "+") and rooms (`~4`)."""

    language: str
    cwe: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class FlawedFile:
    """A whole file before and after its fix."""

    flaw: Flaw
    stem: str
    before: str
    after: str


@cache
def languages() -> dict[str, Any]:
    """What files of each language are made of."""
    loaded: dict[str, Any] = yaml.safe_load(CODE.read_text(encoding="utf-8"))
    return loaded


@cache
def flaws() -> tuple[Flaw, ...]:
    """Every kind of flaw."""
    return tuple(
        Flaw(language, flaw["cwe"], tuple(flaw["code"].splitlines()))
        for language, parts in languages().items()
        for flaw in parts["flaws"]
    )


def scope(names: Names, case: str) -> dict[str, str]:
    """What the slots of one function stand for; no two of them the same."""
    found: dict[str, str] = {}
    while len(set(found.values())) < len(VARIABLES) + len(WORDS) + 1:
        found = {slot: names.identifier(case) for slot in VARIABLES}
        found |= {slot: names.word() for slot in WORDS}
        found |= {"n": names.number(), "T": names.joined(" ").title().replace(" ", "")}
    return found


def filled(lines: Iterable[str], words: dict[str, str]) -> list[str]:
    """The lines with every slot filled."""
    return [SLOT.sub(lambda match: words[match[1]], line) for line in lines]


def with_statements(
    lines: Iterable[str], language: str, words: dict[str, str], names: Names
) -> Iterator[str]:
    """Marked lines, each room with none or one harmless statement."""
    for line in lines:
        room = ROOM.fullmatch(line)
        if room is None:
            yield from filled([line], words)
        elif names.rng.random() < 0.5:
            statement = names.rng.choice(languages()[language]["statements"])
            own = {**scope(names, languages()[language]["case"]), "a": words["a"]}
            yield " " + " " * int(room[1]) + filled([statement], own)[0]


def calm(language: str, names: Names) -> list[str]:
    """A function that is not at fault."""
    parts = languages()[language]
    return filled(names.rng.choice(parts["calm"]), scope(names, parts["case"]))


def make_file(flaw: Flaw, rng: random.Random) -> FlawedFile:
    """A file with one flaw between one or two functions that are not at fault."""
    names, parts = Names(rng), languages()[flaw.language]
    words = scope(names, parts["case"])
    flawed = list(with_statements(flaw.lines, flaw.language, words, names))
    functions = [[" " + line for line in calm(flaw.language, names)] for _ in range(rng.randint(1, 2))]
    functions.insert(rng.randint(0, len(functions)), flawed)
    lines = [" " + line for line in filled(parts["head"], words)]
    for number, function in enumerate(functions):
        lines += [" "] * (parts["gap"] if number else 0) + function
    lines += [" " + line for line in parts.get("tail", ())]
    return FlawedFile(flaw, words["s"], side(lines, "-"), side(lines, "+"))


def side(lines: list[str], marker: str) -> str:
    """The file with the lines of one side (`-` before, `+` after) and those of both."""
    return "".join(line[1:] + "\n" for line in lines if line[0] in (" ", marker))


def dealt(rng: random.Random) -> Iterator[Flaw]:
    """Every flaw once in a shuffled order, then all of them in another order, without end."""
    while True:
        yield from rng.sample(flaws(), len(flaws()))
