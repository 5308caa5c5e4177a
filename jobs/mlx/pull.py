"""The pulling child: a base model from the Hub or a folder, converted by mlx-lm, complete or absent."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mlx_lm import convert
from mlx_lm import load as load_model

from jobs.children import entry
from jobs.children.entry import Assignment
from jobs.errors import NetworkError, OperatorError
from jobs.fs import files
from jobs.mlx.requests import PullingRequest

PROBE = [{"role": "user", "content": "Hello"}]


def run(assignment: Assignment[PullingRequest]) -> dict[str, Any]:
    """Download, convert, check that it loads and has a chat template, then put it in its place.

    Raises:
        NetworkError: The Hub did not answer; what was downloaded so far is kept for the next try.
        OperatorError: There is no such model, or it cannot hold a conversation.
    """
    request = assignment.payload
    assignment.report(phase=f"fetching {request.source}")
    source = _fetch(request.source, request.revision)
    staging = assignment.work / "model"
    shutil.rmtree(staging, ignore_errors=True)
    assignment.report(phase="converting")
    convert(
        str(source),
        str(staging),
        quantize=request.bits is not None,
        q_bits=request.bits,
        q_group_size=request.group_size,
    )
    _check(staging, request.source)
    files.private_folder(request.target.parent)
    files.replace_folder(staging, request.target)
    return {
        "target": str(request.target),
        "bytes": sum(path.stat().st_size for path in files.files_below(request.target)),
    }


def _fetch(source: str, revision: str | None) -> Path:
    local = Path(source).expanduser()
    if local.is_dir():
        return local
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=PATTERNS))
    except (RepositoryNotFoundError, RevisionNotFoundError, GatedRepoError) as error:
        raise OperatorError(
            f"The Hub has no model {source} at {revision or 'its newest revision'} for you: {_line(error)}",
            "Check base_model.source and base_model.revision; a gated model needs `hf auth login`.",
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise NetworkError(
            f"Fetching {source} from the Hub failed: {_line(error)}",
            "Check the network, or put a converted model into models_dir/base by hand.",
        ) from error


PATTERNS = ["*.json", "*.safetensors", "*.model", "*.tiktoken", "*.txt", "*.jinja", "*.py"]


def _check(folder: Path, source: str) -> None:
    _, tokenizer = load_model(str(folder))
    if not getattr(tokenizer, "chat_template", None):
        raise OperatorError(
            f"{source} has no chat template, so it cannot be asked anything.",
            "Choose an instruction-tuned model (for OLMo-2: one that ends in -Instruct).",
        )
    tokenizer.apply_chat_template(PROBE, add_generation_prompt=True, return_dict=False)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


if __name__ == "__main__":
    entry.main(run, PullingRequest)
