"""Deliveries: what belongs to which, what gathers behind a run, what is known already."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Settings
from daemon.inbox import inspection
from daemon.inbox.intake import Intake, IntakeDependencies
from jobs.runs.store import Run

Drop = Callable[[str, str | bytes], str]
Good = Callable[..., str]


def end(run: Run, status: str = "completed") -> None:
    run.manifest.status = status  # type: ignore[assignment]
    run.save()


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
    dependencies: IntakeDependencies, intake: Intake, drop: Drop, good: Good, enqueued: list[str]
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
    assert enqueued == [first.run_id, second.run_id]


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
