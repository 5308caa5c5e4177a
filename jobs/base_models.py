"""Where a base model is, whether it is complete, and what it is made of."""

from __future__ import annotations

from pathlib import Path

from config.settings import BaseModelChoice
from jobs.errors import ModelMissing, OperatorError
from jobs.fs import files
from jobs.mlx.requests import PullingRequest
from jobs.runs.validation import check_full_model


def locate(base_models: Path, name: str) -> Path:
    """The folder of a base model.

    Args:
        base_models: `<models_dir>/base`.
        name: A folder's name below it, or a path of its own.

    Raises:
        ModelMissing: There is no complete model there.
    """
    named = Path(name).expanduser()
    folder = named if named.is_absolute() else base_models / name
    problems = [check.detail for check in check_full_model(folder) if not check.passed]
    if problems:
        raise ModelMissing(
            f"The base model {folder} is not complete: {'; '.join(problems)}.",
            "Fetch it with: sectune models pull (base_model.source says from where), or set base_model.name.",
        )
    return folder


def is_complete(base_models: Path, name: str) -> bool:
    """Whether there is a complete model of that name or at that path."""
    try:
        locate(base_models, name)
    except OperatorError:
        return False
    return True


def pull_request(base_models: Path, choice: BaseModelChoice) -> PullingRequest:
    """What the pulling child is asked for.

    Raises:
        OperatorError: The settings name no place to fetch it from, or a path that is not ours to fill.
    """
    if choice.source is None or Path(choice.name).expanduser().is_absolute():
        locate(base_models, choice.name)  # says what is missing
        raise OperatorError("The base model is complete already.")
    return PullingRequest(
        source=choice.source,
        revision=choice.revision,
        target=base_models / choice.name,
        bits=choice.bits,
        group_size=choice.group_size,
    )


def digest(folder: Path) -> str:
    """One SHA-256 over the weights, the configuration and the tokenizer of a model."""
    kept = [path for path in files.files_below(folder) if path.suffix in (".safetensors", ".json", ".jinja")]
    return files.sha256_files(folder, kept)
