from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from jobs.errors import NetworkError, OperatorError
from jobs.publishing import sanitize
from jobs.publishing.upload import upload

FILES = [
    "README.md", "config.json", "model.safetensors", "tokenizer.json", "metadata.json", ".DS_Store",
    "adapters/stage1/adapter_config.json", "training-data/stage2/train.jsonl",
    "evaluation/stage1/evaluation_results.json",
]  # fmt: skip


class FakeHub:
    """What HfApi does, as far as an upload sees it."""

    def __init__(self) -> None:
        self.private: bool | None = None
        self.error: Exception | None = None
        self.sent: list[str] = []

    def create_repo(self, repo: str, private: bool, exist_ok: bool) -> None:
        assert exist_ok
        if self.private is None:
            self.private = private

    def repo_info(self, repo: str) -> Any:
        return SimpleNamespace(private=self.private)

    def upload_folder(self, **given: Any) -> Any:
        if self.error:
            raise self.error
        folder = given["folder_path"]
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        self.sent = [
            name for name in names if not any(fnmatch(name, mask) for mask in given["ignore_patterns"])
        ]
        return SimpleNamespace(commit_url=f"hub://{given['repo_id']}/commit/1")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda **_: fake)
    monkeypatch.setattr(sanitize, "_machine_names", lambda: ("annika", "annikas-laptop"))
    return fake


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "entry" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n")
    return tmp_path / "entry"


def refused(status: int) -> Exception:
    error = errors.HfHubHTTPError.__new__(errors.HfHubHTTPError)
    Exception.__init__(error, f"status {status}")
    error.response = SimpleNamespace(status_code=status)  # type: ignore[assignment]
    return error


def test_the_model_and_its_card_are_sent_and_nothing_of_the_users_code(hub: FakeHub, entry: Path) -> None:
    assert upload(entry, "owner/name", private=True) == "hub://owner/name/commit/1"
    assert sorted(hub.sent) == ["README.md", "config.json", "model.safetensors", "tokenizer.json"]


def test_a_private_upload_never_goes_to_a_repository_that_is_public_already(
    hub: FakeHub, entry: Path
) -> None:
    hub.private = False
    with pytest.raises(OperatorError, match="public"):
        upload(entry, "owner/name", private=True)
    assert hub.sent == []


@pytest.mark.parametrize("trace", ["/Users/somebody/models/base", "trained by Annika"])
def test_a_private_trace_in_a_file_stops_the_upload_before_the_hub_is_asked(
    hub: FakeHub, entry: Path, trace: str
) -> None:
    (entry / "config.json").write_text(f'{{"_name_or_path": "{trace}"}}')
    with pytest.raises(OperatorError, match=r"config\.json was not uploaded"):
        upload(entry, "owner/name", private=True)
    assert hub.private is None


def test_a_folder_without_a_card_is_no_model_to_publish(hub: FakeHub, entry: Path) -> None:
    (entry / "README.md").unlink()
    with pytest.raises(OperatorError, match="no card"):
        upload(entry, "owner/name", private=True)
    assert hub.private is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused(401), OperatorError),
        (refused(403), OperatorError),
        (refused(413), OperatorError),
        (refused(429), NetworkError),
        (refused(503), NetworkError),
        (ConnectionResetError("gone"), NetworkError),
        (TimeoutError("slow"), NetworkError),
        (errors.HTTPError("no route"), NetworkError),
        (errors.LocalTokenNotFoundError("no token"), OperatorError),
        (errors.OfflineModeIsEnabled("offline"), OperatorError),
        (errors.HFValidationError("bad name"), OperatorError),
        (ZeroDivisionError("ours"), ZeroDivisionError),
    ],
)
def test_a_failed_upload_says_who_can_act(
    hub: FakeHub, entry: Path, error: Exception, expected: type[Exception]
) -> None:
    hub.error = error
    with pytest.raises(expected):
        upload(entry, "owner/name", private=False)
