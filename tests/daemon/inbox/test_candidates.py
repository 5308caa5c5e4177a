"""What counts as a file of the inbox, and what it waits for."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.inbox.candidates import candidates


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")


def found(root: Path) -> dict[str, str | None]:
    return {path.relative_to(root).as_posix(): waits for path, waits in candidates(root)}


def test_litter_of_systems_and_programs_is_passed_over(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "._a.json",
        ".DS_Store",
        "__MACOSX/a.json",
        ".Trashes/a.json",
        "Thumbs.db",
        "~$a.json",
        ".a.json.Xk3f9Q",
        "a.json.download/a.json",
        "deep/er/a.json",
    )
    assert found(tmp_path) == {"deep/er/a.json": None}


@pytest.mark.parametrize(
    "partial",
    ["a.json.crdownload", "a.json.part", "a.json.partial", "a.json.tmp", "a.opdownload", "Unconfirmed 12"],
)
def test_a_partial_download_waits_for_its_end(tmp_path: Path, partial: str) -> None:
    fill(tmp_path, partial)
    assert found(tmp_path) == {partial: "its download to end"}


@pytest.mark.parametrize("suffix", [".part", ".aria2", ".crdownload", ".partial"])
def test_a_file_beside_its_partial_sibling_waits_for_it(tmp_path: Path, suffix: str) -> None:
    fill(tmp_path, "a.json", f"a.json{suffix}", "b.json")
    waits = found(tmp_path)
    assert waits["a.json"] == f"a.json{suffix} to disappear"
    assert waits["b.json"] is None


def test_links_are_shown_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    fill(outside, "secret.json")
    root = tmp_path / "root"
    root.mkdir()
    (root / "file.json").symlink_to(outside / "secret.json")
    (root / "folder").symlink_to(outside)
    assert found(root) == {"file.json": None, "folder": None}
