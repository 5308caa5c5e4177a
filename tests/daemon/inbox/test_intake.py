from __future__ import annotations

import errno
import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Settings
from daemon.inbox import inspection
from daemon.inbox.intake import Intake, IntakeDependencies
from jobs.fs import files
from jobs.runs.store import Run

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


def end(run: Run, status: str = "completed") -> None:
    run.manifest.status = status  # type: ignore[assignment]
    run.save()


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
    dependencies: IntakeDependencies, drop: Drop, rung: list[str], content: str, words: str, intake: Intake
) -> None:
    assert drop("x.json", content) == "refused"
    assert words.lower() in only_entry(dependencies)[1].lower()
    assert intake.close() is None
    assert rung == []
    assert list(dependencies.state_files.staging.iterdir()) == []


def test_a_delivery_trains_on_the_good_one_and_names_the_fate_of_each_other(
    intake: Intake, drop: Drop, good: Good, without_findings: str, rung: list[str]
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
    assert rung == [run.run_id]
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


class Killed(BaseException):
    """The process dies here."""


def kill(*_: object, **__: object) -> None:
    raise Killed


CRASHES = {
    "before the copy": ("daemon.inbox.inspection._copy", "receive"),
    "between staging and acceptance": ("daemon.inbox.ledger.Ledger.note", "receive"),
    "before the delivery is named": ("daemon.inbox.ledger.Ledger.assign", "close"),
    "before the run is made": ("jobs.runs.store.RunStore.create", "close"),
    "while the reports are copied": ("daemon.inbox.intake.shutil.copyfile", "close"),
    "between run and ledger": ("daemon.inbox.ledger.Ledger.move", "close"),
    "before the staged content is removed": ("daemon.inbox.intake.shutil.rmtree", "close"),
}


@pytest.mark.parametrize("moment", CRASHES)
def test_a_kill_at_any_moment_loses_no_file_and_makes_one_run(
    dependencies: IntakeDependencies, inbox: Path, good: Good, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    where, stage = CRASHES[moment]
    (inbox / "a.json").write_text(good("alpha"))
    (inbox / "b.json").write_text(good("beta"))
    intake = Intake(dependencies)
    if stage == "close":
        for name in ("a.json", "b.json"):
            intake.receive(inbox / name, inbox)
    doing = {"receive": lambda: intake.receive(inbox / "a.json", inbox), "close": intake.close}[stage]
    with monkeypatch.context() as patched:
        patched.setattr(where, kill)
        with pytest.raises(Killed):
            doing()
    reborn = Intake(dependencies)
    reborn.recover()
    for name in ("a.json", "b.json"):  # what the watcher does with whatever the ledger does not know
        stamp = inspection.stamp_of(inbox / name)
        if dependencies.ledger.known(inbox / name, stamp) is None:
            reborn.receive(inbox / name, inbox)
    reborn.close()
    reborn.recover()
    runs, unreadable = dependencies.store.list()
    assert (len(runs), unreadable) == (1, [])
    assert sorted(path.name for path in files.files_below(runs[0].folder.reports)) == ["a.json", "b.json"]
    assert {entry.state for entry in dependencies.ledger.entries()} == {"queued"}
    assert {entry.run_id for entry in dependencies.ledger.entries()} == {runs[0].run_id}
    assert list(dependencies.state_files.staging.iterdir()) == []


def test_a_full_disk_at_run_creation_is_told_and_made_good_later(
    dependencies: IntakeDependencies,
    intake: Intake,
    drop: Drop,
    good: Good,
    rung: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    drop("a.json", good())
    with monkeypatch.context() as patched:
        patched.setattr("jobs.runs.store.RunStore.create", full)
        assert intake.close() is None
    assert only_entry(dependencies)[0] == "accepted"
    assert "disk is full" in only_entry(dependencies)[1]
    (run,) = intake.recover()
    assert only_entry(dependencies) == ("queued", f"in run {run.run_id}")
    assert rung == [run.run_id]


def test_one_lost_staging_folder_holds_up_neither_its_delivery_nor_the_daemon(
    dependencies: IntakeDependencies, intake: Intake, drop: Drop, good: Good, inbox: Path
) -> None:
    drop("a.json", good("alpha"))
    drop("b.json", good("beta"))
    lost, kept = dependencies.ledger.open_delivery()
    files.files_below(dependencies.state_files.staging / str(lost.staged))[0].unlink()
    run = intake.close()
    assert run is not None
    assert [item.name for item in run.manifest.inputs if item.verdict == "received"] == ["b.json"]
    assert {entry.path: entry.state for entry in dependencies.ledger.entries()} == {
        lost.path: "failed",
        kept.path: "queued",
    }
    assert intake.receive(inbox / "a.json", inbox) == "accepted"


def test_recovery_leaves_a_submit_that_is_at_work_alone(
    dependencies: IntakeDependencies, intake: Intake, inbox: Path, good: Good
) -> None:
    (inbox / "a.json").write_text(good())
    with intake.alone():
        intake.receive(inbox / "a.json", inbox, delivery="submitted")
        draft = files.temporary_beside(dependencies.store.root / "run")
        draft.mkdir(parents=True)
        (draft / ".driver.lock").write_text("pid 4711, which was killed\n")
        assert Intake(dependencies).recover() == []
        assert dependencies.store.list()[0] == []
        assert draft.exists()
    (run,) = intake.recover()
    assert [path.name for path in dependencies.store.root.iterdir()] == [run.run_id]


def test_submitted_files_do_not_mix_with_the_open_delivery(
    dependencies: IntakeDependencies, intake: Intake, inbox: Path, drop: Drop, tmp_path: Path, good: Good
) -> None:
    drop("dropped.json", good("alpha"))
    (tmp_path / "given.json").write_text(good("beta"))
    intake.receive(tmp_path / "given.json", tmp_path, delivery="submitted")
    submitted = intake.make_run("submitted")
    assert submitted is not None
    end(submitted)
    dropped = intake.close()
    assert dropped is not None
    assert [item.name for item in submitted.manifest.inputs] == ["given.json"]
    assert [item.name for item in dropped.manifest.inputs] == ["dropped.json"]


def test_submitting_what_lies_in_the_inbox_takes_nothing_from_its_delivery(
    dependencies: IntakeDependencies, intake: Intake, inbox: Path, drop: Drop, good: Good
) -> None:
    drop("a.json", good())
    assert intake.receive(inbox / "a.json", inbox, delivery="one") == "duplicate"
    assert intake.receive(inbox / "a.json", inbox, delivery="two") == "duplicate"
    run = intake.close()
    assert run is not None
    assert intake.receive(inbox / "a.json", inbox, delivery="three") == "duplicate"
    assert intake.receive(inbox / "a.json", inbox, delivery="four", force=True) == "accepted"
    again = intake.make_run("four")
    assert again is not None
    assert again.run_id != run.run_id


def test_an_unreadable_file_beside_a_good_one_is_named_in_the_run(
    dependencies: IntakeDependencies,
    intake: Intake,
    tmp_path: Path,
    good: Good,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = inspection._copy

    def guarded(source: Path, target: Path) -> None:
        if source.name == "bad.json":
            raise PermissionError(errno.EACCES, "Permission denied")
        copy(source, target)

    monkeypatch.setattr(inspection, "_copy", guarded)
    for name in ("bad.json", "fine.json"):
        (tmp_path / name).write_text(good())
        intake.receive(tmp_path / name, tmp_path, delivery="d")
    run = intake.make_run("d")
    assert run is not None
    fates = {item.name: item.reason for item in run.manifest.inputs}
    assert fates["fine.json"] is None
    assert "submit it again" in str(fates["bad.json"])


def test_deliveries_that_arrive_while_a_run_is_unfinished_become_one_run_after_it(
    dependencies: IntakeDependencies, intake: Intake, drop: Drop, good: Good, rung: list[str]
) -> None:
    drop("first.json", good("alpha"))
    first = intake.close()
    assert first is not None
    for name in ("beta", "gamma"):
        assert drop(f"{name}.json", good(name)) == "accepted"
        assert intake.close() is None
    reasons = {entry.reason for entry in dependencies.ledger.open_delivery()}
    assert reasons == {f"gathers with what else arrives until {first.run_id} has ended"}
    assert Intake(dependencies).recover() == []  # a new daemon leaves them gathering
    end(first, "needs_attention")
    second = intake.close()
    assert second is not None
    assert sorted(item.name for item in second.manifest.inputs) == ["beta.json", "gamma.json"]
    assert rung == [first.run_id, second.run_id]


@pytest.mark.parametrize("status", ["paused", "failed", "cancelled", "needs_attention", "completed"])
def test_nothing_gathers_behind_a_run_that_does_not_go_on_by_itself(
    intake: Intake, drop: Drop, good: Good, status: str
) -> None:
    drop("first.json", good("alpha"))
    first = intake.close()
    assert first is not None
    end(first, status)
    drop("second.json", good("beta"))
    assert intake.close() is not None


def test_without_the_setting_each_delivery_is_a_run_at_once(
    dependencies: IntakeDependencies,
    inbox: Path,
    good: Good,
    settings_with: Callable[[dict[str, str]], Settings],
) -> None:
    intake = Intake(replace(dependencies, settings=settings_with({"inbox.gather_while_training": "false"})))
    for name in ("alpha", "beta"):
        (inbox / f"{name}.json").write_text(good(name))
        assert intake.receive(inbox / f"{name}.json", inbox) == "accepted"
        assert intake.close() is not None


def test_a_report_of_nothing_but_known_findings_starts_no_training_and_says_so(
    dependencies: IntakeDependencies, intake: Intake, inbox: Path, drop: Drop, good: Good, tmp_path: Path
) -> None:
    drop("monday.json", good())
    run = intake.close()
    assert run is not None
    end(run)
    assert drop("tuesday.json", good() + "\n") == "duplicate"
    assert dependencies.ledger.entries()[-1].reason == "no new finding: all 1 are in earlier runs"
    assert intake.close() is None
    assert drop("new.json", good("another")) == "accepted"
    (tmp_path / "again.json").write_text(good() + " ")
    assert intake.receive(tmp_path / "again.json", tmp_path, delivery="d", force=True) == "accepted"


def test_two_reports_of_one_scan_in_one_delivery_both_count(intake: Intake, drop: Drop, good: Good) -> None:
    drop("a.json", good())
    assert drop("b.json", good() + "\n") == "accepted"
    run = intake.close()
    assert run is not None
    assert len(run.manifest.inputs) == 2


def test_a_fix_that_was_not_there_before_makes_an_old_finding_new(
    intake: Intake, drop: Drop, good: Good
) -> None:
    drop("before.json", good().replace('"FixedVersion": "2.20.0"', '"FixedVersion": ""'))
    run = intake.close()
    assert run is not None
    end(run)
    assert drop("after.json", good()) == "accepted"
