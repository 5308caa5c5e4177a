"""One file: what it is taken for, and what the reason says."""

from __future__ import annotations

import errno
import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.inbox import inspection
from daemon.inbox.intake import Intake, IntakeDependencies
from jobs.fs import files

HTML = "<!doctype html><html><body>Sign in to download</body></html>"
Drop = Callable[[str, str | bytes], str]
Good = Callable[..., str]


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.json", content)
    return buffer.getvalue()


def only_entry(dependencies: IntakeDependencies) -> tuple[str, str]:
    (entry,) = dependencies.ledger.entries()
    return entry.state, entry.reason


def test_a_good_report_is_accepted_and_its_original_stays(
    dependencies: IntakeDependencies, inbox: Path, drop: Drop, good: Good
) -> None:
    before = good()
    assert drop("trivy.json", before) == "accepted"
    assert (inbox / "trivy.json").read_text() == before
    (entry,) = dependencies.ledger.open_delivery()
    assert (entry.tool, entry.findings) == ("trivy", 1)
    assert entry.sha256 == files.sha256_file(inbox / "trivy.json")


@pytest.mark.parametrize(
    ("content", "words"),
    [(HTML, "HTML"), ("", "empty"), ('{"Results": [', "JSON")],
    ids=["html", "empty", "torn"],
)
def test_what_is_no_report_is_refused_with_its_reason(
    dependencies: IntakeDependencies,
    drop: Drop,
    enqueued: list[str],
    content: str,
    words: str,
    intake: Intake,
) -> None:
    assert drop("x.json", content) == "refused"
    assert words.lower() in only_entry(dependencies)[1].lower()
    assert intake.close() is None
    assert enqueued == []
    assert list(dependencies.state_files.staging.iterdir()) == []


def test_a_delivery_trains_on_the_good_one_and_names_the_fate_of_each_other(
    intake: Intake, drop: Drop, good: Good, without_findings: str, enqueued: list[str]
) -> None:
    for name, content in {
        "good.json": good(),
        "page.html": HTML,
        "nothing.json": "",
        "torn.json": good()[:-20],
        "clean.json": without_findings,
        "again.json": good(),
    }.items():
        drop(name, content)
    run = intake.close()
    assert run is not None
    assert enqueued == [run.run_id]
    fates = {item.name: (item.verdict, bool(item.reason)) for item in run.manifest.inputs}
    assert fates == {
        "good.json": ("received", False),
        "page.html": ("refused", True),
        "nothing.json": ("refused", True),
        "torn.json": ("refused", True),
        "clean.json": ("empty", True),
        "again.json": ("refused", True),
    }
    assert [path.name for path in files.files_below(run.folder.reports)] == ["good.json"]


def test_a_zip_is_taken_for_its_good_members_and_tells_of_the_bad(
    dependencies: IntakeDependencies, drop: Drop, good: Good
) -> None:
    assert drop("scan.zip", zipped(good=good(), page=HTML)) == "accepted"
    (entry,) = dependencies.ledger.entries()
    assert "1 of 2 members are reports" in entry.reason
    assert sorted(member["verdict"] for member in entry.members) == ["parsed", "refused"]


def test_a_zip_without_a_report_is_refused(dependencies: IntakeDependencies, drop: Drop) -> None:
    assert drop("scan.zip", zipped(one=HTML, two=HTML)) == "refused"
    assert "none of its 2 members" in only_entry(dependencies)[1]


def test_the_same_content_again_is_a_duplicate_that_names_the_run(
    dependencies: IntakeDependencies, intake: Intake, drop: Drop, good: Good
) -> None:
    drop("one.json", good())
    run = intake.close()
    assert run is not None
    assert drop("two.json", good()) == "duplicate"
    assert run.run_id in dependencies.ledger.entries()[-1].reason
    assert intake.close() is None


def test_a_report_without_findings_starts_no_run(
    dependencies: IntakeDependencies, intake: Intake, drop: Drop, without_findings: str
) -> None:
    assert drop("clean.json", without_findings) == "nothing"
    assert intake.close() is None
    assert dependencies.store.list() == ([], [])


def test_a_file_larger_than_allowed_is_refused_unread(
    dependencies: IntakeDependencies, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = dependencies.settings.inbox.model_copy(update={"max_file_bytes": 10, "max_archive_bytes": 10})
    small = replace(dependencies, settings=dependencies.settings.model_copy(update={"inbox": limited}))
    (inbox / "big.json").write_text("x" * 11)
    monkeypatch.setattr(inspection, "_copy", lambda *_: pytest.fail("it was read"))
    assert Intake(small).receive(inbox / "big.json", inbox) == "refused"
    assert "inbox.max_archive_bytes" in only_entry(dependencies)[1]


def test_a_link_is_refused_and_not_followed(
    dependencies: IntakeDependencies, intake: Intake, inbox: Path, tmp_path: Path, good: Good
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(good())
    (inbox / "link.json").symlink_to(secret)
    assert intake.receive(inbox / "link.json", inbox) == "refused"
    assert "link" in only_entry(dependencies)[1]


def test_a_file_exchanged_for_a_link_at_the_last_moment_is_not_followed(
    intake: Intake, inbox: Path, tmp_path: Path, good: Good
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(good())
    (inbox / "link.json").symlink_to(secret)
    with pytest.raises(OSError):
        inspection._copy(inbox / "link.json", tmp_path / "copy.json")
    assert not (tmp_path / "copy.json").exists()


@pytest.mark.parametrize(("code", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no permission")])
def test_a_fault_of_the_machine_is_no_refusal_and_passes(
    dependencies: IntakeDependencies,
    drop: Drop,
    good: Good,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    words: str,
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(inspection, "_copy", fail)
        assert drop("a.json", good()) == "failed"
    reason = only_entry(dependencies)[1]
    assert words in reason
    assert "tried again" in reason
    assert list(dependencies.state_files.staging.iterdir()) == []
    assert drop("a.json", good()) == "accepted"


def test_a_file_that_changes_while_it_is_read_is_read_again(
    dependencies: IntakeDependencies, drop: Drop, good: Good, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = inspection._copy

    def copy_and_grow(source: Path, target: Path) -> None:
        copy(source, target)
        with source.open("a") as stream:
            stream.write(" ")

    with monkeypatch.context() as patched:
        patched.setattr(inspection, "_copy", copy_and_grow)
        assert drop("a.json", good()) == "failed"
    assert "changed while it was read" in only_entry(dependencies)[1]
    assert list(dependencies.state_files.staging.iterdir()) == []


def test_a_name_that_is_no_utf8_is_taken_like_any_other(
    dependencies: IntakeDependencies, intake: Intake, inbox: Path, good: Good
) -> None:
    path = inbox / os.fsdecode(b"scan\xff.json")
    try:
        path.write_text(good())
    except OSError:
        pytest.skip("this file system has no such names")
    assert intake.receive(path, inbox) == "accepted"
    run = intake.close()
    assert run is not None
    assert [item.name for item in run.manifest.inputs] == ["scan?.json"]
