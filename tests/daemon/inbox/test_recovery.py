"""Killed at any moment, on a full disk, without its staged copy: no file is lost and no run made twice."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.inbox import inspection
from daemon.inbox.intake import Intake, IntakeDependencies
from jobs.fs import files

Drop = Callable[[str, str | bytes], str]
Good = Callable[..., str]


def only_entry(dependencies: IntakeDependencies) -> tuple[str, str]:
    (entry,) = dependencies.ledger.entries()
    return entry.state, entry.reason


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
    enqueued: list[str],
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
    assert enqueued == [run.run_id]


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
