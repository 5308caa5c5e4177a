"""Put a certified model on the Hugging Face Hub: the model and its card, nothing of the user's own code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import JobError, NetworkError, OperatorError
from jobs.publishing.sanitize import private_traces

if TYPE_CHECKING:
    from huggingface_hub import HfApi

# Training data and evaluation quote the user's code; adapter and entry metadata name folders of the machine.
KEPT_HOME = ["adapters/*", "training-data/*", "evaluation/*", "metadata.json", ".*", "*/.*"]
# Written by us or by the trainer's libraries, where a folder's name could slip in; a vocabulary is not read.
LOOKED_AT = ("README.md", "config.json", "generation_config.json", "tokenizer_config.json")
_TRY_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


def upload(folder: Path, repo: str, private: bool) -> str:
    """Upload an entry's model and card; return the address of the commit.

    The repository is created where it is missing. The token is the Hub's own (`HF_TOKEN` or `hf auth
    login`); it is neither read nor stored here.

    Args:
        folder: A registry entry, or any model folder with a card.
        repo: `owner/name` on the Hub.
        private: Whether only its owner may see it; an existing public repository is then refused.

    Raises:
        OperatorError: No card, a private trace in a file, no token, no permission, a wrong name.
        NetworkError: The Hub did not answer, or asks to come back later.
    """
    _check_folder(folder)
    from huggingface_hub import HfApi  # late: it costs a quarter of a second that no other step needs

    try:
        return _send(HfApi(library_name="sectune"), folder, repo, private)
    except JobError:
        raise
    except Exception as error:
        raise _explained(error, repo) from error


def _send(api: HfApi, folder: Path, repo: str, private: bool) -> str:
    api.create_repo(repo, private=private, exist_ok=True)
    # exist_ok leaves an existing repository as visible as it is, whatever was asked for
    if private and not api.repo_info(repo).private:
        raise OperatorError(
            f"{repo} is public on the Hub, but a private upload was asked for.",
            "Make it private there, or choose another name.",
        )
    commit = api.upload_folder(
        repo_id=repo, folder_path=folder, ignore_patterns=KEPT_HOME, commit_message=f"Upload {folder.name}"
    )
    return str(commit.commit_url)


def _check_folder(folder: Path) -> None:
    if not (folder / "README.md").is_file() or not (folder / "config.json").is_file():
        raise OperatorError(f"{folder} is no certified model: it has no card or no config.json.")
    for name in LOOKED_AT:
        path = folder / name
        traces = private_traces(path.read_text(encoding="utf-8")) if path.is_file() else []
        if traces:
            raise OperatorError(
                f"{path} was not uploaded: it would tell others {traces[0]!r}.",
                "Take it out of the file that the model was fused from.",
            )


def _explained(error: Exception, repo: str) -> Exception:
    """What a failed upload means to the one who can act; a bug of ours stays what it is."""
    from huggingface_hub import errors

    status = _status(error)
    if status in (401, 403) or isinstance(error, errors.LocalTokenNotFoundError):
        return OperatorError(
            f"The Hub did not let us write to {repo}: {error}", "Log in with a token that may write."
        )
    if isinstance(error, errors.OfflineModeIsEnabled):
        return OperatorError(
            f"{repo} was not uploaded: HF_HUB_OFFLINE is set.", "Unset it, or turn uploads off."
        )
    if isinstance(error, errors.HFValidationError):
        return OperatorError(f"{repo!r} cannot be a repository's name: {error}", "Write it as owner/name.")
    if status is not None and status not in _TRY_LATER:
        return OperatorError(f"The Hub refused the upload to {repo} with status {status}: {error}")
    if status is not None or _is_connection(error):
        return NetworkError(
            f"The Hub did not answer while uploading to {repo}: {error}", "It is tried again later."
        )
    return error


def _status(error: Exception) -> int | None:
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _is_connection(error: Exception) -> bool:
    # huggingface_hub changed its HTTP library twice; all of them call their base class HTTPError or
    # RequestException, and none of these libraries is a dependency of ours.
    names = {cls.__name__ for cls in type(error).__mro__}
    return isinstance(error, ConnectionError | TimeoutError) or bool(
        names & {"HTTPError", "RequestException"}
    )
