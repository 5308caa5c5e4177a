"""Where a base model is, whether it is complete, and what it is made of."""

from __future__ import annotations

from pathlib import Path

from jobs import files
from jobs.errors import OperatorError
from jobs.runs.validation import check_full_model


def locate(base_models: Path, name: str) -> Path:
    """The folder of a base model.

    Args:
        base_models: `<models_dir>/base`.
        name: A folder's name below it, or a path of its own.

    Raises:
        OperatorError: There is no complete model there.
    """
    named = Path(name).expanduser()
    folder = named if named.is_absolute() else base_models / name
    problems = [check.detail for check in check_full_model(folder) if not check.passed]
    if problems:
        raise OperatorError(
            f"The base model {folder} is not complete: {'; '.join(problems)}.",
            f"Make it with: mlx_lm.convert --hf-path <hub model> -q --mlx-path {folder} "
            "(for the default: allenai/OLMo-2-0425-1B-Instruct), or set base_model.name.",
        )
    return folder


def digest(folder: Path) -> str:
    """One SHA-256 over the weights, the configuration and the tokenizer of a model."""
    kept = [path for path in files.files_below(folder) if path.suffix in (".safetensors", ".json", ".jinja")]
    return files.sha256_files(folder, kept)
