"""Names and versions by chance: the words are few, but what is joined of them is rarely met twice."""

from __future__ import annotations

import random
from pathlib import Path

import yaml

_DATA = yaml.safe_load((Path(__file__).parent / "data" / "names.yaml").read_text(encoding="utf-8"))
WORDS: tuple[str, ...] = tuple(_DATA["words"])


class Names:
    """Deals names.

    Args:
        rng: The source of every choice; the same state gives the same names.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def word(self) -> str:
        """A plain word."""
        return self.rng.choice(WORDS)

    def joined(self, sign: str, count: int = 2) -> str:
        """Several words with a sign between them."""
        return sign.join(self.rng.sample(WORDS, count))

    def identifier(self, case: str) -> str:
        """An identifier of one or two words in `snake` or `camel` case."""
        parts = self.rng.sample(WORDS, self.rng.choice((1, 2, 2, 2)))
        return "_".join(parts) if case == "snake" else parts[0] + "".join(map(str.capitalize, parts[1:]))

    def number(self) -> str:
        """A number of one or two digits."""
        return str(self.rng.choice((self.rng.randint(2, 9), self.rng.randint(10, 99))))

    def version(self) -> tuple[int, int, int]:
        """Three parts of a version."""
        small, large = self.rng.randint(0, 9), self.rng.randint(10, 29)
        return (self.rng.randint(0, 9), self.rng.choice((small, small, large)), self.rng.randint(0, 9))

    def above(self, version: tuple[int, int, int]) -> tuple[int, int, int]:
        """A version above another one: by a patch, by a minor or by a major version."""
        major, minor, patch = version
        return self.rng.choice(
            (
                (major, minor, patch + self.rng.randint(1, 9)),
                (major, minor + self.rng.randint(1, 9), self.rng.randint(0, 9)),
                (major + self.rng.randint(1, 4), self.rng.randint(0, 9), self.rng.randint(0, 9)),
            )
        )


def dotted(version: tuple[int, int, int]) -> str:
    """A version as it is written."""
    return ".".join(map(str, version))
