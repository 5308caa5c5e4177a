"""Files: a crash at any moment leaves the old content or the new one; locks die with their holders."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.fs import files


class Crash(BaseException):
    """The process ends here."""


CALLS = ("fsync_fd", "fsync_folder")


class Fuse:
    """Lets `count` file system calls pass and ends the process at the next one."""

    def __init__(self, count: int) -> None:
        self.left = count

    def burn(self, call: Callable[..., object], *args: object) -> object:
        if self.left == 0:
            raise Crash
        self.left -= 1
        return call(*args)


@pytest.fixture
def crash_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], pytest.MonkeyPatch]]:
    real = {name: getattr(files, name) for name in CALLS}
    real_path = {name: getattr(Path, name) for name in ("replace", "rename")}

    def arm(count: int) -> pytest.MonkeyPatch:
        fuse = Fuse(count)
        for name in CALLS:
            monkeypatch.setattr(files, name, lambda *args, name=name: fuse.burn(real[name], *args))
        for name in real_path:
            monkeypatch.setattr(Path, name, lambda *args, name=name: fuse.burn(real_path[name], *args))
        # A killed process tidies nothing up.
        monkeypatch.setattr(Path, "unlink", lambda *args, **options: None)
        return monkeypatch

    yield arm
    monkeypatch.undo()


@pytest.mark.parametrize("write", ["write_text", "write_json", "write_jsonl"])
def test_a_crash_at_any_call_leaves_the_old_content_or_the_new(
    tmp_path: Path, crash_after: Callable[[int], pytest.MonkeyPatch], write: str
) -> None:
    old, new = {"write_text": ("a", "b"), "write_json": ([1], [2]), "write_jsonl": ([1], [2, 3])}[write]
    seen = set()
    for count in range(6):
        path = tmp_path / f"{count}.json"
        getattr(files, write)(path, old)
        before = path.read_bytes()
        patch = crash_after(count)
        crashed = False
        try:
            getattr(files, write)(path, new)
        except Crash:
            crashed = True
        finally:
            patch.undo()
        fresh = tmp_path / "fresh.json"
        getattr(files, write)(fresh, new)
        assert path.read_bytes() in (before, fresh.read_bytes())
        seen.add((crashed, path.read_bytes() == before))
    assert seen == {(True, True), (True, False), (False, False)}


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.text(), st.none() | st.integers() | st.text()), max_size=8))
def test_rows_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[object]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    assert files.write_jsonl(path, rows) == len(rows)
    assert list(files.read_jsonl(path)) == rows
    with path.open("ab") as stream:
        stream.write(b'{"torn": ')
    assert list(files.read_jsonl(path)) == rows


def test_a_writer_that_fails_leaves_no_litter_and_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError):
        files.write_json(path, float("nan"))
    with pytest.raises(ValueError):
        files.write_jsonl(path, iter([1, float("inf")]))
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]
    assert files.read_json(path) == {"a": 1}


def test_lines_of_many_writers_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"

    def write(number: int) -> None:
        for count in range(50):
            files.append_jsonl(path, {"writer": number, "count": count, "text": "x" * 500})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = list(files.read_jsonl(path))
    assert sorted((row["writer"], row["count"]) for row in rows) == [
        (n, c) for n in range(4) for c in range(50)
    ]


def test_a_line_the_disk_took_only_in_part_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.append_jsonl(tmp_path / "a.jsonl", {"a": 1})
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "write", lambda fd, data: real(fd, data[:-3]))
        with pytest.raises(OSError) as caught:
            files.append_jsonl(tmp_path / "a.jsonl", {"a": 2})
    assert caught.value.errno == errno.ENOSPC
    files.append_jsonl(tmp_path / "a.jsonl", {"a": 3})
    assert list(files.read_jsonl(tmp_path / "a.jsonl")) == [{"a": 1}, {"a": 3}]


def test_a_hash_of_several_files_depends_on_names_and_contents_but_not_on_their_order(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    paths = [tmp_path / "a", tmp_path / "b"]
    first = files.sha256_files(tmp_path, paths)
    assert files.sha256_files(tmp_path, paths[::-1]) == first
    (tmp_path / "a").rename(tmp_path / "c")
    assert files.sha256_files(tmp_path, [tmp_path / "c", tmp_path / "b"]) != first


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_every_new_folder_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.private_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    for folder in ("a", "a/b", "a/b/c"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def filled(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "file").write_text(content)
    return folder


def test_a_folder_is_replaced_whole_and_no_trace_of_killed_writers_stays(tmp_path: Path) -> None:
    target = filled(tmp_path / "target", "old")
    filled(tmp_path / ".target.0123abcd.tmp", "an old target that a crash left on its way out")
    source = filled(tmp_path / ".target.89abcdef.tmp", "new")
    (source / ".file.01234567.tmp").write_text("killed while writing")
    (source / ".0000100_adapters.tmp.safetensors").write_text("killed while saving")
    files.replace_folder(source, target)
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert [(path.name, path.read_text()) for path in target.iterdir()] == [("file", "new")]


def test_a_crash_while_a_folder_is_replaced_never_mixes_two_folders(
    tmp_path: Path, crash_after: Callable[[int], pytest.MonkeyPatch]
) -> None:
    outcomes = set()
    for count in range(9):
        home = tmp_path / str(count)
        home.mkdir()
        target, source = filled(home / "target", "old"), filled(home / "source", "new")
        patch = crash_after(count)
        try:
            files.replace_folder(source, target)
        except Crash:
            pass
        finally:
            patch.undo()
        outcomes.add((target / "file").read_text() if target.exists() else None)
        again = source if source.exists() else filled(source, "new")
        files.replace_folder(again, target)
        assert [path.name for path in home.iterdir()] == ["target"]
        assert (target / "file").read_text() == "new"
    assert outcomes == {"old", None, "new"}


def test_a_lock_admits_one_and_tells_the_others_who_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    assert files.lock_holder(path) is None
    with files.FileLock(path, "the first"):
        assert files.lock_holder(path) == "the first"
        with pytest.raises(files.LockBusy) as caught:
            files.FileLock(path, "the second").acquire()
        assert caught.value.holder == "the first"
    assert files.lock_holder(path) is None
    with files.FileLock(path, "2"):
        assert files.lock_holder(path) == "2"


HOLD = """
import sys, time
from pathlib import Path
from jobs.fs.files import FileLock
FileLock(Path(sys.argv[1]), "a process").acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_is_free_once_its_holder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(files.__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert files.lock_holder(path) == "a process"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with files.FileLock(path, "me"):
        assert files.lock_holder(path) == "me"


@pytest.mark.slow
def test_looking_at_a_lock_never_makes_taking_it_fail(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    done = threading.Event()
    looks = [0, 0, 0]

    def look(number: int) -> None:
        while not done.is_set():
            files.lock_holder(path)
            looks[number] += 1

    threads = [threading.Thread(target=look, args=(number,)) for number in range(len(looks))]
    for thread in threads:
        thread.start()
    try:
        taken = 0
        while taken < 150 or min(looks) <= 100:  # as long as it takes, so that both really met
            with files.FileLock(path, "me"):
                taken += 1
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert all(count > 100 for count in looks)


def test_a_really_held_lock_is_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with files.FileLock(path, "me"):
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(files.LockBusy):
                files.FileLock(path).acquire()
        assert time.monotonic() - began < 1.0


def test_only_one_of_many_threads_gets_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    inside: list[int] = []
    most: list[int] = []

    def enter(number: int) -> None:
        for _ in range(20):
            try:
                with files.FileLock(path, str(number)):
                    inside.append(number)
                    most.append(len(inside))
                    inside.remove(number)
            except files.LockBusy:
                pass

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most
    assert max(most) == 1


def test_canonical_json_has_one_hash_whatever_the_order() -> None:
    assert files.sha256_json({"a": 1, "b": [2]}) == files.sha256_json(json.loads('{"b": [2], "a": 1}'))


def test_links_are_not_followed_when_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    assert [path.name for path in files.files_below(tmp_path)] == ["file"]
