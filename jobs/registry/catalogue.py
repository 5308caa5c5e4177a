"""What is in the registry: one row a model, and a model found by what a person typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import NotFoundError, OperatorError
from jobs.fs.files import read_json
from jobs.registry.current import CURRENT_NAME, current, linked_name
from jobs.registry.name import parse_name
from jobs.registry.verify import METADATA_NAME


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One row of `sectune models list`; percentages from 0 to 100, None where nobody measured.

    `problem` says why a folder cannot be told of, for example because its metadata cannot be read.
    """

    name: str
    created: str | None
    base_model: str | None
    stage1_exact_match_percentage: float | None
    stage2_exact_match_percentage: float | None
    retention_rate: float | None
    current: bool
    problem: str | None = None


def list_models(registry: Path) -> list[ListedModel]:
    """Every entry, oldest first; a folder that is no readable entry is listed with its problem.

    No file is hashed here: `jobs.registry.verify.verify` does that.

    Raises:
        OperatorError: CURRENT is a file or folder of its own.
    """
    if not registry.is_dir():
        return []
    active = linked_name(registry)
    rows = [_row(path, active) for path in registry.iterdir() if _is_candidate(path)]
    return sorted(rows, key=lambda row: (row.created or "", row.name))


def find_model(registry: Path, text: str) -> Path:
    """The entry meant by a full name, an unambiguous beginning or ending of one, or CURRENT.

    Raises:
        NotFoundError: Nothing, or more than one thing, is meant.
        OperatorError: CURRENT points at something that is not there.
    """
    if text == CURRENT_NAME:
        if (name := current(registry)) is None:
            raise NotFoundError("No model is in use yet.", "`sectune models activate NAME` chooses one.")
        return registry / name
    names = [row.name for row in list_models(registry)]
    meant = [name for name in names if name == text] or [name for name in names if _is_meant(name, text)]
    if len(meant) == 1:
        return registry / meant[0]
    if meant:
        raise NotFoundError(f"{text!r} could be any of {', '.join(meant)}.", "Write more of the name.")
    raise NotFoundError(
        f"There is no certified model {text!r} in {registry}.", "`sectune models list` shows them."
    )


def _is_meant(name: str, text: str) -> bool:
    return bool(text) and (name.startswith(text) or name.endswith(f".{text}"))


def _is_candidate(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")


def _row(entry: Path, active: str | None) -> ListedModel:
    problem = None
    facts: Mapping[str, Any] = {}
    try:
        parse_name(entry.name)
        facts = _facts(entry)
    except OperatorError as error:
        problem = error.message
    except (OSError, ValueError) as error:
        problem = f"{METADATA_NAME} cannot be read: {error}"
    metrics = facts.get("metrics")
    numbers: Mapping[str, Any] = metrics if isinstance(metrics, dict) else {}
    return ListedModel(
        name=entry.name,
        created=_text(facts.get("created")),
        base_model=_text(facts.get("base_model")),
        stage1_exact_match_percentage=_number(numbers.get("stage1_score")),
        stage2_exact_match_percentage=_number(numbers.get("stage2_score")),
        retention_rate=_number(numbers.get("retention_rate")),
        current=entry.name == active,
        problem=problem,
    )


def _facts(entry: Path) -> Mapping[str, Any]:
    facts = read_json(entry / METADATA_NAME)
    if not isinstance(facts, dict):
        raise ValueError("it is not an object")
    return facts


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
