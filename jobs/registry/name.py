"""The name of a certified model: its DNA, computed from the files it names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import OperatorError
from jobs.fs.files import sha256_files

HASH_DIGITS = 8
# A file name may have 255 bytes; the temporary name beside it and an export's suffix need some of them.
LONGEST = 200

_PARTS = {
    "family": r"[A-Za-z0-9][A-Za-z0-9_-]*",
    "version": r"[0-9]+(?:\.[0-9]+)*",
    "language": r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*",
    "dataset": r"[A-Za-z0-9_]+",
    "hash": rf"[0-9a-f]{{{HASH_DIGITS}}}",
}
_MEANING = {
    "family": "letters, digits, '-' and '_', beginning with one of the first two, like WebAuthn-Security-1B",
    "version": "numbers with dots between them, for example 1.0",
    "language": "a language tag, for example en or pt-BR",
    "dataset": "letters, digits and '_' ('-' separates data sets), for example CrossVul",
    "hash": f"{HASH_DIGITS} lower-case hex digits",
}
_NAME = re.compile(
    r"(?P<family>{family})\.v(?P<version>{version})\.(?P<language>{language})"
    r"\.ds(?P<datasets>{dataset}(?:-{dataset})*)\.(?P<data>{hash})\.(?P<weights>{hash})".format(**_PARTS)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelName:
    """The parts of a certified model's name; `str()` puts them together.

    `<family>.v<version>.<language>.ds<A>-<B>.<data hash>.<weights hash>`
    """

    family: str
    version: str
    language: str
    datasets: tuple[str, ...]
    data_hash: str
    weights_hash: str

    def __post_init__(self) -> None:
        """Refuse parts that could not be read back from the name.

        Raises:
            OperatorError: A part has a character that its place in the name does not allow.
        """
        for kind, value in self._checked_parts():
            if not re.fullmatch(_PARTS[kind], value):
                raise OperatorError(f"A model's {kind} cannot be {value!r}.", f"Use {_MEANING[kind]}.")
        if not self.datasets or len(set(self.datasets)) != len(self.datasets):
            raise OperatorError(
                f"A model's data sets cannot be {list(self.datasets)}.", "Name at least one, each once."
            )
        if len(str(self)) > LONGEST:
            raise OperatorError(
                f"The model's name {self} has more than {LONGEST} characters.", "Shorten the family."
            )

    def _checked_parts(self) -> list[tuple[str, str]]:
        parts = [("family", self.family), ("version", self.version), ("language", self.language)]
        parts += [("dataset", dataset) for dataset in self.datasets]
        return [*parts, ("hash", self.data_hash), ("hash", self.weights_hash)]

    def __str__(self) -> str:
        datasets = "-".join(self.datasets)
        head = f"{self.family}.v{self.version}.{self.language}.ds{datasets}"
        return f"{head}.{self.data_hash}.{self.weights_hash}"


def parse_name(text: str) -> ModelName:
    """Take a name apart; the inverse of `str()`.

    Raises:
        OperatorError: The text is no certified model's name.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise OperatorError(
            f"{text!r} is not a certified model's name.",
            "Names look like WebAuthn-Security-1B.v1.0.en.dsCrossVul-CVEfixes.141521ad.90cdf6f1.",
        )
    datasets = tuple(match["datasets"].split("-"))
    return ModelName(
        family=match["family"],
        version=match["version"],
        language=match["language"],
        datasets=datasets,
        data_hash=match["data"],
        weights_hash=match["weights"],
    )


def training_data_sha256(entry: Path) -> str:
    """SHA-256 over the names and contents of every `training-data/**/*.jsonl` of an entry, 64 hex digits.

    Raises:
        OperatorError: There is no such file, so there is nothing to compute a name from.
    """
    return _digest(entry, sorted((entry / "training-data").rglob("*.jsonl")), "training data")


def weights_sha256(entry: Path) -> str:
    """SHA-256 over the names and contents of every `*.safetensors` at an entry's root, 64 hex digits.

    Raises:
        OperatorError: There is no such file.
    """
    return _digest(entry, sorted(entry.glob("*.safetensors")), "weights")


def data_hash(entry: Path) -> str:
    """The data part of an entry's name: the first 8 digits of `training_data_sha256`."""
    return training_data_sha256(entry)[:HASH_DIGITS]


def weights_hash(entry: Path) -> str:
    """The weights part of an entry's name: the first 8 digits of `weights_sha256`."""
    return weights_sha256(entry)[:HASH_DIGITS]


def _digest(entry: Path, paths: Sequence[Path], what: str) -> str:
    real = [path for path in paths if path.is_file() and not path.is_symlink()]
    if not real:
        raise OperatorError(f"{entry.name} holds no {what}: its name cannot be computed.")
    return sha256_files(entry, real)
