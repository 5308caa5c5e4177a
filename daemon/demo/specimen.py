"""Vulnerable files and their fixes, filled from the templates of data/templates."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TEMPLATES = Path(__file__).parent / "data" / "templates"
SLOT = re.compile(r"@([A-Za-z]+)(\d?)@")
SECTION = re.compile(r"^## (\w+) ?(.*)$")
SEED = 2099
EXTENSIONS = {
    "python": "py",
    "javascript": "js",
    "java": "java",
    "go": "go",
    "php": "php",
    "c": "c",
    "ruby": "rb",
}
SHORTEST, LONGEST = 15, 60  # lines a file; whole files are short so that many windows fit a small model

Lines = tuple[str, ...]
Scope = dict[str, str]


@dataclass(frozen=True)
class Fix:
    """One kind of flaw in one language.

    Each line of `imports` and `body` begins with a blank, `-` or `+`, or is `~4`: room for statements with an
    indentation of 4 blanks (`~t`: a tab).
    """

    language: str
    cwe: str
    subject: str
    imports: Lines
    body: Lines
    choices: tuple[tuple[str, Lines], ...]


@dataclass(frozen=True)
class Language:
    """What the templates of one language hold."""

    name: str
    head: Lines
    opening: Lines
    closing: Lines
    statements: Lines
    calm: tuple[Lines, ...]
    fixes: tuple[Fix, ...]


@dataclass(frozen=True)
class Specimen:
    """A whole file before and after its fix."""

    language: str
    cwe: str
    subject: str
    noun: str
    before: str
    after: str


@cache
def vocabulary() -> Any:
    """The word lists and the names of the CWEs."""
    return yaml.safe_load((TEMPLATES / "vocabulary.yaml").read_text(encoding="utf-8"))


def sections(text: str) -> Iterator[tuple[str, str, Lines]]:
    """Each section of a template file: its kind, the rest of its title, its lines."""
    kind, title, lines = "", "", list[str]()
    for line in [*text.splitlines(), "## end"]:
        match = SECTION.match(line)
        if match is None:
            lines.append(line)
            continue
        if kind:
            yield kind, title, tuple(lines)
        kind, title, lines = match[1], match[2], []


def parse_fix(language: str, title: str, lines: Lines) -> Fix:
    """Read one `## fix CWE-n: subject` section."""
    cwe, subject = title.split(": ", 1)
    choices = [line[2:].split(" = ", 1) for line in lines if line.startswith("? ")]
    return Fix(
        language=language,
        cwe=cwe,
        subject=subject,
        imports=tuple(line[1:] for line in lines if line.startswith("^")),
        body=tuple(line for line in lines if not line.startswith(("^", "? "))),
        choices=tuple((name, tuple(options.split(" | "))) for name, options in choices),
    )


@cache
def language(name: str) -> Language:
    """The templates of one language."""
    found = list(sections((TEMPLATES / f"{name}.tmpl").read_text(encoding="utf-8")))

    def one(kind: str) -> Lines:
        return next((lines for each, _, lines in found if each == kind), ())

    return Language(
        name=name,
        head=one("head"),
        opening=one("open"),
        closing=one("close"),
        statements=one("line"),
        calm=tuple(lines for kind, _, lines in found if kind == "calm"),
        fixes=tuple(parse_fix(name, title, lines) for kind, title, lines in found if kind == "fix"),
    )


def all_fixes() -> list[Fix]:
    """Every fix of every language, in the order of the files' names."""
    names = sorted(path.stem for path in TEMPLATES.glob("*.tmpl"))
    return [fix for name in names for fix in language(name).fixes]


class Words:
    """Deals words so that no two functions of a file share a name.

    Args:
        rng: The source of every choice; the same state gives the same words.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.decks = {kind: rng.sample(words, len(words)) for kind, words in vocabulary()["words"].items()}
        self.dealt = dict.fromkeys(self.decks, 0)
        self.main = self.deal("noun")

    def deal(self, kind: str) -> str:
        """The next word of a kind; a deck that is used up starts again."""
        deck = self.decks[kind]
        word: str = deck[self.dealt[kind] % len(deck)]
        self.dealt[kind] += 1
        return word

    def scope(self, noun: str | None = None) -> Scope:
        """Fresh words for one function."""
        kinds = ("verb", "field", "field2", "word", "host", "num", "num2")
        words = {kind: self.deal(kind.rstrip("2")) for kind in kinds}
        return {**words, "noun": noun or self.deal("noun"), "main": self.main}


def fill(text: str, scope: Scope) -> str:
    """Replace each `@word@`; the slot's own case (`@noun@`, `@Noun@`, `@NOUN@`) is given to the word."""

    def word(match: re.Match[str]) -> str:
        name, value = match[1], scope[match[1].lower() + match[2]]
        if name.islower():
            return value
        return value.upper() if name.isupper() else value.capitalize()

    return SLOT.sub(word, text)


def fill_all(lines: Lines, scope: Scope) -> list[str]:
    """Fill several lines."""
    return [fill(line, scope) for line in lines]


def fix_scope(fix: Fix, words: Words) -> Scope:
    """The words of the function with the flaw, its own choices included."""
    scope = words.scope(words.main)
    for name, options in fix.choices:
        scope[name] = fill(words.rng.choice(options), scope)
    return scope


def with_statements(lines: Lines, spare: Lines, words: Words) -> Iterator[str]:
    """The marked lines of a fix, with none to two harmless statements at each place for them."""
    deck = words.rng.sample(spare, len(spare))  # without replacement: a variable is declared once
    for line in lines:
        if not line.startswith("~"):
            yield line
            continue
        indent = "\t" if line == "~t" else " " * int(line[1:])
        for _ in range(words.rng.choice((0, 1, 1, 2))):
            yield " " + indent + deck.pop()


def calm_functions(templates: Language, words: Words) -> list[list[str]]:
    """Two to five functions that are not at fault."""
    count = words.rng.randint(2, min(5, len(templates.calm)))
    return [fill_all(lines, words.scope()) for lines in words.rng.sample(templates.calm, count)]


def marked_head(templates: Language, fix: Fix, scope: Scope) -> list[str]:
    """The marked first lines of a file; the fix's imports stand where the head has `^`."""
    lines: list[str] = []
    for line in templates.head:
        lines += fill_all(fix.imports, scope) if line == "^" else [" " + fill(line, scope)]
    return lines + [" " + line for line in fill_all(templates.opening, scope)]


def marked_file(fix: Fix, words: Words, scope: Scope) -> list[str]:
    """A whole file as marked lines."""
    templates = language(fix.language)
    body = fill_all(tuple(with_statements(fix.body, templates.statements, words)), scope)
    functions = [[" " + line for line in lines] for lines in calm_functions(templates, words)]
    functions.insert(words.rng.randint(1, len(functions)), body)
    gap = [" ", " "] if fix.language == "python" else [" "]
    lines = marked_head(templates, fix, scope)
    for function in functions:
        lines += [*gap, *function]
    return lines + [" " + line for line in fill_all(templates.closing, scope)]


def one_side(lines: list[str], marker: str) -> str:
    """The file with the lines of one side (`-` before, `+` after) and those of both."""
    return "".join(line[1:] + "\n" for line in lines if line[:1] in ("", " ", marker))


def make_specimen(fix: Fix, rng: random.Random) -> Specimen:
    """Fill one fix with words until the file has a fitting length."""
    while True:
        words = Words(rng)
        scope = fix_scope(fix, words)
        lines = marked_file(fix, words, scope)
        if SHORTEST <= len(lines) <= LONGEST:
            break
    subject = fill(fix.subject, scope)
    return Specimen(fix.language, fix.cwe, subject, words.main, one_side(lines, "-"), one_side(lines, "+"))


def source(part: str, number: int) -> random.Random:
    """A generator of its own for each row, so that one more row changes no other."""
    return random.Random(f"{SEED}/{part}/{number}")


def dealt_fixes(part: str) -> Iterator[Fix]:
    """Every fix once in a shuffled order, then all of them in another order, without end."""
    fixes = all_fixes()
    rng = source(part, -1)
    while True:
        yield from rng.sample(fixes, len(fixes))
