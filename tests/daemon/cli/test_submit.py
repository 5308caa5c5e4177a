"""`sectune submit` and `sectune parse`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.runs.store import RunStore

Sectune = Callable[..., Any]
Created = Callable[[], list[Path]]


def test_a_submitted_report_becomes_a_run_that_waits_for_the_daemon(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str], store: RunStore
) -> None:
    (tmp_path / "a.json").write_text(good())
    answer = sectune("submit", tmp_path / "a.json")
    (run,) = store.list()[0]
    assert answer.code == 0
    assert f"a.json: in run {run.run_id}" in answer.out
    assert "The daemon is not running" in answer.err
    assert f"sectune logs {run.run_id} -f" in answer.err


def test_what_was_seen_before_is_taken_only_by_force(
    sectune: Sectune, daemon: None, tmp_path: Path, good: Callable[..., str], store: RunStore
) -> None:
    (tmp_path / "a.json").write_text(good())
    assert "not running" not in sectune("submit", tmp_path / "a.json").err
    for _ in range(3):
        again = sectune("submit", tmp_path / "a.json")
        assert again.code == 1
        assert "same content as a.json, in run" in again.out
        assert "--force" in again.err
    assert len(store.list()[0]) == 1
    forced = sectune("submit", "--force", "--json", tmp_path / "a.json").json
    assert forced["run_id"] in store.ids()
    assert [file["state"] for file in forced["files"]] == ["queued"]


def test_a_submitted_delivery_can_ask_for_a_fresh_stage_1_without_changing_the_settings(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str], store: RunStore
) -> None:
    (tmp_path / "a.json").write_text(good())
    fresh = sectune("submit", "--fresh-stage1", "--json", tmp_path / "a.json").json
    usual = sectune("submit", "--force", "--json", tmp_path / "a.json").json
    assert store.open(fresh["run_id"]).settings().training.reuse_stage1 is False
    assert store.open(usual["run_id"]).settings().training.reuse_stage1 is True


def test_submitting_what_is_no_report_says_so_without_speaking_of_force(
    sectune: Sectune, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text("<html></html>")
    answer = sectune("submit", tmp_path / "page.html")
    assert answer.code == 1
    assert "refused" in answer.out
    assert "--force" not in answer.err


def test_a_submitted_folder_leaves_running_downloads_out(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str]
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "a.json").write_text(good())
    (folder / "b.json.part").write_text("{")
    answer = sectune("submit", folder)
    assert answer.code == 0
    assert "left out" in answer.err
    assert "b.json.part" not in answer.out


def test_a_link_that_a_person_names_is_followed(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str], store: RunStore
) -> None:
    (tmp_path / "real.json").write_text(good())
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    assert sectune("submit", tmp_path / "link.json").code == 0
    assert [item.name for item in store.list()[0][0].manifest.inputs] == ["real.json"]


def test_submitting_nothing_exits_4_and_creates_nothing(
    sectune: Sectune, home: Path, created: Created
) -> None:
    answer = sectune("submit", home / "none.json")
    assert answer.code == 4
    assert "none.json" in answer.err
    assert created() == []


def test_a_file_that_is_named_twice_is_taken_once(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str], store: RunStore
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "a.json").write_text(good())
    (tmp_path / "link.json").symlink_to(folder / "a.json")
    answer = sectune("submit", folder / "a.json", folder, tmp_path / "link.json", folder / "a.json")
    (run,) = store.list()[0]
    assert answer.code == 0
    assert answer.out == f"queued     a.json: in run {run.run_id}\n"
    assert [item.name for item in run.manifest.inputs] == ["a.json"]


def test_parse_prints_the_shape_that_later_work_relies_on(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str]
) -> None:
    (tmp_path / "a.json").write_text(good())
    (tmp_path / "b.html").write_text("<html></html>")
    shown = sectune("parse", tmp_path, "--json").json
    assert {"files", "distinct_findings", "findings"} <= set(shown)
    for file in shown["files"]:
        assert {"path", "sha256", "verdict", "tool", "format", "raw_findings", "warnings", "reason"} <= set(
            file
        )
    assert [file["verdict"] for file in shown["files"]] == ["parsed", "refused"]
    assert shown["distinct_findings"] == len(shown["findings"]) == 1
