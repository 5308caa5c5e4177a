"""Summaries are copies: whatever happens to them, what is shown is what the manifests say."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from config import cache
from jobs.runs import manifest, summaries
from jobs.runs.manifest import Progress
from jobs.runs.store import Run, RunStore

MakeRun = Callable[..., Run]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose manifests were read in full."""
    seen: list[str] = []
    read = manifest.read_manifest

    def recorded(path: Path) -> object:
        seen.append(path.parent.name)
        return read(path)

    monkeypatch.setattr(manifest, "read_manifest", recorded)
    return seen


@pytest.fixture
def look(store: RunStore) -> Callable[[], summaries.Overview]:
    return lambda: summaries.overview(str(store.root))


def age(run: Run, seconds: float = 60.0) -> None:
    """Make a manifest look as if it had lain there for a while."""
    moment = run.folder.manifest.stat().st_mtime - seconds
    os.utime(run.folder.manifest, (moment, moment))


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as one that was not changed just now."""
    monkeypatch.setattr(summaries, "settled", lambda look: True)


def end(run: Run, status: str = "completed") -> Run:
    run.manifest.status = status  # type: ignore[assignment]
    run.save()
    return run


def test_the_overview_says_what_the_manifests_say_in_the_order_of_the_store(
    make_run: MakeRun, store: RunStore, look: Callable[[], summaries.Overview]
) -> None:
    for number, status in enumerate(("queued", "completed", "waiting", "needs_attention", "failed")):
        end(make_run(delivery=f"d{number}"), status)
    for _ in range(2):  # from the manifests, then from the copies
        seen = look()
        expected = [run for run in store.list()[0] if run.manifest.status in ("queued", "waiting")]
        assert seen.unfinished == [summaries.summary_of(run.manifest) for run in expected]
        assert [each["status"] for each in seen.attention] == ["needs_attention"]
        assert seen.completed == 1
        assert seen.unreadable == []
    assert [run.run_id for run in store.unfinished()] == [run.run_id for run in expected]


def test_a_second_look_reads_no_manifest(
    make_run: MakeRun, look: Callable[[], summaries.Overview], reads: list[str], settled: None
) -> None:
    runs = [end(make_run(delivery=f"d{number}")) for number in range(3)]
    for run in runs:
        (run.folder.root / ".summary.json").unlink()
    look()
    assert sorted(reads) == sorted(run.run_id for run in runs)
    reads.clear()
    assert look().completed == 3
    assert reads == []


def test_a_run_that_goes_on_is_followed_without_reading_its_manifest(
    make_run: MakeRun, look: Callable[[], summaries.Overview], reads: list[str]
) -> None:
    run = make_run()
    run.manifest.status = "in_progress"
    for iteration in range(1, 5):
        run.manifest.progress = Progress(step="parse", iteration=iteration, iterations=9)
        run.save()
        (summary,) = look().unfinished
        assert summary["progress"]["iteration"] == iteration
    assert reads == []


@pytest.mark.parametrize("damage", ["torn", "absent", "of another version", "of another manifest"])
def test_a_summary_that_does_not_fit_is_not_believed(
    make_run: MakeRun, look: Callable[[], summaries.Overview], reads: list[str], damage: str
) -> None:
    run = end(make_run(), "waiting")
    file = run.folder.root / ".summary.json"
    left = json.loads(file.read_text())
    left["row"]["summary"]["status_reason"] = "a lie"
    if damage == "of another version":
        left["code"] = [[0, 0, 0, 0]]
    if damage == "of another manifest":
        left["row"]["look"][1] -= 1
    file.write_text(json.dumps(left)[: 40 if damage == "torn" else None])
    if damage == "absent":
        file.unlink()
    (summary,) = look().unfinished
    assert summary["status_reason"] is None
    assert reads == [run.run_id]


@pytest.mark.parametrize("damage", ["torn", "of another version", "of another folder"])
def test_an_index_that_does_not_fit_is_not_believed(
    make_run: MakeRun,
    look: Callable[[], summaries.Overview],
    reads: list[str],
    settled: None,
    damage: str,
) -> None:
    run = end(make_run())
    (run.folder.root / ".summary.json").unlink()
    look()
    (file,) = Path(cache.cache_folder() or "").glob("runs-*.json")
    index = json.loads(file.read_text())
    index["rows"][run.run_id]["status"] = "failed"
    if damage == "of another version":
        index["code"] = []
    if damage == "of another folder":
        index["root"] = "/elsewhere"
    file.write_text(json.dumps(index)[: 30 if damage == "torn" else None])
    assert look().completed == 1
    assert reads == [run.run_id] * 2


def test_a_manifest_changed_by_hand_is_read_again(
    make_run: MakeRun, look: Callable[[], summaries.Overview], settled: None
) -> None:
    run = end(make_run())
    assert look().completed == 1
    text = run.folder.manifest.read_text()
    run.folder.manifest.write_text(text.replace('"completed"', '"cancelled"'))  # of the same length
    assert look().completed == 0
    run.folder.manifest.write_text("{}")
    ((folder, reason),) = look().unreadable
    assert (folder, "manifest" in reason) == (str(run.folder.root), True)


def test_a_manifest_that_was_written_just_now_is_not_put_into_the_index(
    make_run: MakeRun, look: Callable[[], summaries.Overview]
) -> None:
    run = end(make_run())
    age(run)  # its ctime is still of now, so it may yet change without a trace
    look()
    files = list(Path(cache.cache_folder() or "").glob("runs-*.json"))
    assert [json.loads(file.read_text())["rows"] for file in files] in ([], [{}])


def test_a_cache_that_cannot_be_written_changes_nothing(
    make_run: MakeRun, look: Callable[[], summaries.Overview], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    end(make_run())
    assert look().completed == look().completed == 1


def test_what_is_no_run_is_passed_over(
    store: RunStore, look: Callable[[], summaries.Overview], make_run: MakeRun
) -> None:
    assert look().unfinished == []
    make_run()
    (store.root / ".draft").mkdir()
    (store.root / "notes.txt").write_text("")
    (store.root / "empty").mkdir()
    (store.root / "odd" / "run-manifest.json").mkdir(parents=True)
    assert len(look().unfinished) == 1
    assert look().unreadable == []
