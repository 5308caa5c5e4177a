"""The store: runs appear whole, have ids of their own, and are found through their manifests only."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import Settings
from jobs.errors import NotFoundError, OperatorError
from jobs.fs import files
from jobs.pipeline.step_table import STEP_NAMES
from jobs.runs.delivery import Delivery
from jobs.runs.folder import RunFolder
from jobs.runs.manifest import Input
from jobs.runs.store import Run, RunStore

MakeRun = Callable[..., Run]


def stamped(run: Run, timestamp: str, status: str = "completed") -> Run:
    run.manifest.timestamp = timestamp
    run.manifest.status = status
    run.save()
    return run


def test_a_new_run_has_its_manifest_its_settings_and_its_reports(
    store: RunStore, settings: Settings, make_run: MakeRun
) -> None:
    run = make_run()
    again = store.open(run.run_id)
    assert again.manifest == run.manifest
    assert again.settings() == settings
    assert (run.folder.reports / "report.json").read_text() == "{}"
    assert [step.name for step in again.manifest.steps] == list(STEP_NAMES)
    assert again.manifest.status == "queued"


def test_every_path_is_promised_before_the_first_step(make_run: MakeRun) -> None:
    manifest = make_run().manifest
    assert manifest.stage1.adapters_path == "./stage1/adapters"
    assert manifest.stage2.training_data_path == "./stage2/training-data"
    assert manifest.stage2.validation_path == "./validation/stage2-validation.json"
    assert manifest.stage2.final_model_path == manifest.final_model_path == "./final-model"
    assert manifest.stage2.stage1_dependencies.adapter_path == "./stage1/adapters"


def test_runs_of_one_second_get_ids_of_their_own(make_run: MakeRun) -> None:
    ids = [make_run().run_id for _ in range(5)]
    assert len(set(ids)) == 5
    assert all(re.fullmatch(r"webauthn-security-sequential-\d{8}_\d{6}(-\d+)?", run_id) for run_id in ids)


@pytest.mark.slow
def test_runs_of_eight_threads_get_ids_of_their_own_and_are_whole(store: RunStore, make_run: MakeRun) -> None:
    made: list[Run] = []

    def make(number: int) -> None:
        made.extend(make_run(delivery=f"{number}-{count}") for count in range(3))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.run_id for run in made}) == 24
    runs, unreadable = store.list()
    assert (len(runs), unreadable) == (24, [])
    for run in runs:
        assert run.run_id == run.folder.root.name
        assert (run.folder.reports / "report.json").exists()
    assert {run.manifest.delivery for run in runs} == {f"{n}-{c}" for n in range(8) for c in range(3)}


def test_a_run_appears_whole_or_not_at_all(store: RunStore, settings: Settings) -> None:
    seen: list[list[str]] = []

    def fill(folder: RunFolder) -> None:
        (folder.reports / "half").write_text("x")
        seen.append(store.ids())
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        store.create(settings, Delivery("d", ()), STEP_NAMES, fill)
    assert seen == [[]]
    assert list(store.root.iterdir()) == []


def test_a_draft_that_a_crash_left_is_no_run(
    store: RunStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def crash(*args: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", crash)
        patch.setattr("jobs.runs.store.shutil.rmtree", lambda *args, **options: None)
        with pytest.raises(Crash):
            store.create(settings, Delivery("d", ()), STEP_NAMES, lambda folder: None)
    assert len(list(store.root.iterdir())) == 1
    assert store.ids() == []
    assert store.of_delivery("d") is None


def test_drafts_that_crashes_left_are_swept_away_and_runs_stay(store: RunStore, make_run: MakeRun) -> None:
    store.sweep()  # there is no folder yet
    run = make_run()
    for draft in (files.temporary_beside(store.root / "run") for _ in range(2)):
        (draft / "reports").mkdir(parents=True)
        (draft / ".driver.lock").write_text("pid 4711, which was killed\n")
    store.sweep()
    assert [path.name for path in store.root.iterdir()] == [run.run_id]


def test_a_draft_that_another_machine_is_filling_is_left_alone(store: RunStore, settings: Settings) -> None:
    def fill(folder: RunFolder) -> None:
        (folder.reports / "report.json").write_text("{}")
        RunStore(store.models_dir).sweep()

    begun = files.temporary_beside(store.root / "run")  # another's first moment, before it has its lock
    begun.mkdir(parents=True)
    run = store.create(settings, Delivery("d", ()), STEP_NAMES, fill)
    assert (run.folder.reports / "report.json").exists()
    assert files.lock_holder(run.folder.driver_lock) is None
    assert begun.exists()
    os.utime(begun, (0, 0))
    store.sweep()
    assert not begun.exists()


def test_a_run_is_opened_by_its_id_or_an_unambiguous_end_of_it(store: RunStore, make_run: MakeRun) -> None:
    first, second = make_run(), make_run()
    assert store.open(second.run_id).run_id == second.run_id
    tail = second.run_id[-9:]
    assert tail.endswith("-2")
    assert store.open(tail).run_id == second.run_id
    assert store.open(first.run_id).run_id == first.run_id
    with pytest.raises(NotFoundError, match="2 runs match"):
        store.open("webauthn-security")
    with pytest.raises(NotFoundError, match="There is no run 'absent'"):
        store.open("absent")


@pytest.mark.parametrize("name", ["../training-runs/{}", "./{}", "{}/", "/etc"])
def test_a_path_is_no_run_id(store: RunStore, make_run: MakeRun, name: str) -> None:
    with pytest.raises(NotFoundError):
        store.open(name.format(make_run().run_id))


def test_the_latest_completed_is_the_newest_by_its_manifest_and_not_by_its_name(
    store: RunStore, make_run: MakeRun
) -> None:
    assert store.latest_completed() is None
    runs = [make_run() for _ in range(4)]
    stamped(runs[0], "2026-03-01T12:00:00.500Z")
    stamped(runs[1], "2026-03-01T12:00:00Z")
    stamped(runs[2], "2025-01-01T00:00:00.000Z")
    stamped(runs[3], "2027-01-01T00:00:00.000Z", status="failed")
    latest = store.latest_completed()
    assert latest is not None
    assert latest.run_id == runs[0].run_id
    assert [run.run_id for run in store.list()[0]] == [runs[i].run_id for i in (2, 1, 0, 3)]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"version": "1.0"}, "version"),
        ({"colour": "red"}, "colour"),
        ({"timestamp": "2026-02-31T00:00:00Z"}, "timestamp"),
        ({"status": "happy"}, "status"),
    ],
)
def test_an_unreadable_manifest_is_listed_as_unreadable_with_its_reason(
    store: RunStore, make_run: MakeRun, change: dict[str, str], word: str
) -> None:
    good, bad = make_run(), make_run()
    path = bad.folder.manifest
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    runs, unreadable = store.list()
    assert [run.run_id for run in runs] == [good.run_id]
    assert [item.folder for item in unreadable] == [bad.folder.root]
    assert word in unreadable[0].reason
    with pytest.raises(OperatorError, match=word):
        store.open(bad.run_id)


def test_a_torn_manifest_is_listed_as_unreadable(store: RunStore, make_run: MakeRun) -> None:
    run = make_run()
    run.folder.manifest.write_bytes(run.folder.manifest.read_bytes()[:100])
    assert [item.folder for item in store.list()[1]] == [run.folder.root]


def test_only_one_drives_a_run_and_sees_what_the_one_before_wrote(store: RunStore, make_run: MakeRun) -> None:
    run = make_run()
    other = store.open(run.run_id)
    with run.driving("me"):
        with pytest.raises(files.LockBusy, match="me"), other.driving("you"):
            pass
        run.manifest.status_reason = "changed"
        run.save()
    with other.driving("you"):
        assert other.manifest.status_reason == "changed"


def test_what_a_killed_driver_was_writing_is_swept_away(make_run: MakeRun) -> None:
    run = make_run()
    places = (run.folder.manifest, run.folder.skipped, run.folder.validation(2), run.folder.training_summary)
    leftovers = [path.with_name(f".{path.name}.0123abcd.tmp") for path in places]
    foreign = run.folder.root / ".report.html.0123abcd.tmp"  # written without the driver's lock
    for path in (*leftovers, foreign):
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    with run.driving("me"):
        assert not any(path.exists() for path in leftovers)
        assert foreign.exists()


def test_a_manifest_is_never_seen_half_written(store: RunStore, make_run: MakeRun) -> None:
    run = make_run()
    done = threading.Event()
    problems: list[str] = []
    reads = [0]

    def read() -> None:
        while not done.is_set():
            problems.extend(item.reason for item in store.list()[1])
            reads[0] += 1

    thread = threading.Thread(target=read)
    thread.start()
    for count in range(60):
        run.manifest.status_reason = "x" * (count * 100)
        run.save()
    done.set()
    thread.join()
    assert reads[0] > 5
    assert problems == []


def test_the_run_of_a_delivery_is_found_again(store: RunStore, make_run: MakeRun) -> None:
    make_run(delivery="one")
    second = make_run(delivery="two")
    found = store.of_delivery("two")
    assert found is not None
    assert found.run_id == second.run_id
    assert store.of_delivery("three") is None


def test_a_run_knows_who_made_it(
    store: RunStore, settings: Settings, settings_with: Callable[[dict[str, str]], Settings]
) -> None:
    def provenance(used: Settings) -> dict[str, object]:
        inputs = (Input(name="a.json", sha256="0" * 64),)
        run = store.create(used, Delivery("d", inputs), STEP_NAMES, lambda folder: None)
        assert [item.name for item in run.manifest.inputs] == ["a.json"]
        return run.manifest.provenance.model_dump()

    first, same = provenance(settings), provenance(settings)
    other = provenance(settings_with({"seed": "7"}))
    assert first == same
    assert (first["seed"], other["seed"]) == (42, 7)
    assert first["settings_sha256"] != other["settings_sha256"]
    assert first["base_model_sha256"] is None
