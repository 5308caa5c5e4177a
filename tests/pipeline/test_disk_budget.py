"""The disk budget: what a step will need is known before it begins, and a full disk is no failure."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import tasks
from jobs.children import life
from jobs.errors import NetworkError
from jobs.fs import files, free_space
from jobs.pipeline import chain, disk_budget, step_table
from jobs.pipeline.chain import Outcome
from jobs.pipeline.context import Host, Job
from jobs.runs.store import Run, RunStore
from jobs.runs.waiting import WaitingForDisk

FULL = OSError(errno.ENOSPC, "No space left on device", "/somewhere")


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    return make_run()


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What is free on every disk; changing it changes the disk."""
    state = {"bytes": 10**12}
    monkeypatch.setattr(free_space, "free_bytes", lambda folder: state["bytes"])
    return state


@pytest.fixture
def quick_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []

    def step(name: str) -> Callable[[Job], Sequence[Path]]:
        def work(job: Job) -> Sequence[Path]:
            done.append(name)
            return []

        return work

    for name, row in step_table.STEPS.items():
        monkeypatch.setitem(step_table.STEPS, name, replace(row, do=step(name)))
    return done


def advance(run: Run, host: Host) -> Outcome:
    with run.driving("test"):
        return chain.advance(run, host)


def on_disk(run: Run) -> dict[str, object]:
    return dict(json.loads(run.folder.manifest.read_text()))


def job(run: Run, host: Host, step: str) -> Job:
    return Job(run, run.settings(), host, step)


def needs(at: Job) -> disk_budget.Needs:
    return disk_budget.needs(at, step_table.STEPS[at.step].estimate)


def shortage(at: Job) -> free_space.Shortage | None:
    return disk_budget.shortage(at, step_table.STEPS[at.step].estimate)


def test_a_shortage_says_what_is_missing_what_is_free_and_who_needs_it(tmp_path: Path) -> None:
    short = free_space.Shortage(Path("/models"), "fuse", 1_500_000_000, 0, 300_000_000)
    assert str(short) == "waits for 1.2 GB on the disk of /models: 300 MB free, fuse needs 1.5 GB"
    kept = str(replace(short, reserve=500_000_000))
    assert kept.startswith("waits for 1.7 GB")
    assert kept.endswith("fuse needs 1.5 GB and 500 MB stay free (disk.reserve_mb)")


@given(st.integers(0, 10**13), st.integers(0, 10**13), st.integers(0, 10**12))
def test_there_is_a_shortage_exactly_where_need_and_reserve_exceed_what_is_free(
    needed: int, free: int, reserve: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(free_space, "free_bytes", lambda folder: free)
        short = free_space.shortage("x", {Path("/"): needed}, reserve)
    assert (short is not None) == (free < needed + reserve)


def test_needs_on_one_disk_are_added_up_and_other_disks_are_asked_for_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path.stat().st_dev
    candidates = (Path("/dev/shm"), Path("/run"), Path(__file__).parent)
    other = next((path for path in candidates if path.is_dir() and path.stat().st_dev != here), None)
    if other is None:
        pytest.skip("there is no second file system here")
    room = {tmp_path.stat().st_dev: 100, other.stat().st_dev: 10}
    monkeypatch.setattr(
        free_space, "free_bytes", lambda folder: room[free_space._nearest(folder).stat().st_dev]
    )
    assert free_space.shortage("x", {tmp_path / "a": 50, tmp_path / "b": 50, other: 10}, 0) is None
    short = free_space.shortage("x", {tmp_path / "a": 51, tmp_path / "b": 50, other: 10}, 0)
    assert short is not None
    assert (short.folder, short.needed) == (tmp_path / "a", 101)
    short = free_space.shortage("x", {tmp_path / "a": 1, other / "not" / "there": 11}, 0)
    assert short is not None
    assert (short.folder, short.free) == (other / "not" / "there", 10)


def test_a_run_waits_for_room_without_beginning_its_step_and_goes_on_when_there_is_some(
    run: Run, host: Host, free: dict[str, int], quick_steps: list[str]
) -> None:
    free["bytes"] = 1000
    assert advance(run, host) is Outcome.WAITING
    manifest = on_disk(run)
    assert manifest["status"] == "waiting"
    assert "parse needs" in str(manifest["status_reason"])
    waiting_for = run.manifest.waiting_for
    assert isinstance(waiting_for, WaitingForDisk)
    assert (waiting_for.what, waiting_for.folder) == ("parse", str(host.models_dir))
    assert waiting_for.free_bytes == 1000
    assert waiting_for.missing_bytes == (waiting_for.needed_bytes or 0) - 1000
    assert str(waiting_for) == manifest["status_reason"]
    step = run.manifest.step("parse")
    assert (step.status, step.attempts, step.failures, quick_steps) == ("pending", 0, 0, [])
    free["bytes"] = 10**12
    assert advance(run, host) is Outcome.NEXT
    assert quick_steps == ["parse"]
    assert (on_disk(run)["status_reason"], on_disk(run)["waiting_for"]) == (None, None)


def test_waiting_writes_the_manifest_only_when_the_figures_change(
    run: Run, host: Host, free: dict[str, int], quick_steps: list[str]
) -> None:
    free["bytes"] = 1000
    advance(run, host)
    before = run.folder.manifest.stat().st_mtime_ns
    assert advance(run, host) is Outcome.WAITING
    assert run.folder.manifest.stat().st_mtime_ns == before
    free["bytes"] = 900_000
    advance(run, host)
    assert "0.9 MB free" in str(on_disk(run)["status_reason"])


def test_the_reserve_stays_free(run: Run, host: Host, free: dict[str, int], quick_steps: list[str]) -> None:
    free["bytes"] = 500_000_000
    assert advance(run, replace(host, reserve_bytes=512_000_000)) is Outcome.WAITING
    assert "512 MB stay free" in str(run.manifest.status_reason)
    assert advance(run, host) is Outcome.NEXT


@pytest.mark.parametrize(
    "error", [ValueError("odd"), PermissionError(errno.EACCES, "Permission denied", "/m")]
)
def test_an_estimate_that_fails_is_on_record(
    run: Run, host: Host, quick_steps: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(job: Job, estimate: object) -> None:
        raise error

    monkeypatch.setattr(disk_budget, "shortage", broken)
    assert advance(run, host) is Outcome.ENDED
    assert on_disk(run)["status"] == "needs_attention"
    assert str(error.args[-1]) in str(on_disk(run)["status_reason"])


def test_a_living_child_is_adopted_however_little_room_there_is(
    run: Run, host: Host, free: dict[str, int], quick_steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    free["bytes"] = 0
    monkeypatch.setattr(life, "living", lambda work: 4711)
    assert advance(run, host) is Outcome.NEXT
    assert quick_steps == ["parse"]


@pytest.mark.slow
@pytest.mark.parametrize("error", [FULL, NetworkError("the Hub failed")])
def test_a_disk_that_fills_in_the_middle_of_a_step_is_no_failure(
    run: Run, host: Host, quick_steps: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(job: Job) -> Sequence[Path]:
        raise error from (None if error is FULL else FULL)

    with monkeypatch.context() as patch:
        patch.setitem(step_table.STEPS, "parse", replace(step_table.STEPS["parse"], do=full))
        for _ in range(5):
            assert advance(run, host) is Outcome.WAITING
    step = run.manifest.step("parse")
    assert (step.status, step.failures, step.error) == ("pending", 0, None)
    assert "the disk was full during parse" in str(on_disk(run)["status_reason"])
    assert run.run_id in tasks.undriven_runs(RunStore(host.models_dir))
    assert advance(run, host) is Outcome.NEXT


def test_a_manifest_that_finds_no_room_is_written_with_the_room_kept_aside(
    run: Run, host: Host, quick_steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Run.save

    def save(self: Run) -> None:
        if self.folder.reserve_file.exists():
            raise FULL
        real(self)

    monkeypatch.setattr(Run, "save", save)
    free_space.keep_reserve_file(run.folder.reserve_file)
    assert run.folder.reserve_file.stat().st_size == free_space.RESERVE_FILE_BYTES
    assert advance(run, host) is Outcome.WAITING
    assert "disk is full" in str(on_disk(run)["status_reason"])
    assert not run.folder.reserve_file.exists()


def test_a_disk_that_takes_nothing_at_all_leaves_the_manifest_as_it_was_and_the_daemon_alive(
    store: RunStore,
    run: Run,
    host: Host,
    quick_steps: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = run.folder.manifest.read_bytes()

    def nothing(path: Path, text: str) -> None:
        raise FULL

    messages: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_text", nothing)
        tasks.advance_with(store, host, messages.append)(run.run_id)
    assert (run.folder.manifest.read_bytes(), messages) == (before, [])
    tasks.advance_with(store, host, messages.append)(run.run_id)
    assert messages == [run.run_id]


def test_a_message_that_finds_no_room_is_left_to_the_reconciler(
    store: RunStore, run: Run, host: Host, quick_steps: list[str]
) -> None:
    def broken(run_id: str) -> None:
        raise FULL

    tasks.advance_with(store, host, broken)(run.run_id)
    assert store.open(run.run_id).manifest.step("parse").status == "succeeded"
    assert tasks.undriven_runs(store) == [run.run_id]


def test_progress_that_finds_no_room_does_not_end_the_step(
    run: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Run) -> None:
        raise FULL

    at = job(run, host, "train_1")
    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", full)
        at.progress({"iteration": 3})
    assert run.manifest.progress.iteration == 3
    at.progress({"train_loss": 1.0})
    assert on_disk(run)["progress"]["iteration"] == 3  # type: ignore[index]


def test_the_reserve_file_is_kept_while_a_run_is_unfinished_and_gone_after(
    run: Run, host: Host, quick_steps: list[str]
) -> None:
    seen = []
    while advance(run, host) is not Outcome.ENDED:
        seen.append(run.folder.reserve_file.exists())
    assert all(seen)
    assert not run.folder.reserve_file.exists()


def test_fusing_needs_a_complete_model_and_more_of_it_in_16_bits(
    run: Run,
    host: Host,
    base_model: Path,
    settings_with: Callable[..., object],
    make_run: Callable[..., Run],
) -> None:
    (base_model / "config.json").write_text('{"quantization": {"bits": 4, "group_size": 64}}')
    (base_model / "vocabulary.txt").write_bytes(bytes(40_000_000))
    size = disk_budget.bytes_below(base_model)
    needed = needs(job(run, host, "fuse"))
    assert needed[host.models_dir] == size + disk_budget.LEAST
    whole = make_run(settings_with({"fuse.dequantize": "true"}), delivery="d2")
    assert needs(job(whole, host, "fuse"))[host.models_dir] == 4 * size + disk_budget.LEAST


def test_a_training_needs_its_checkpoints_twice_its_adapters_and_its_tokens(
    run: Run, host: Host, base_model: Path
) -> None:
    shape = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16}
    (base_model / "config.json").write_text(json.dumps(shape))
    at = job(run, host, "train_1")
    lora = at.settings.training.lora
    adapter = disk_budget.adapter_bytes(at)
    assert adapter == 4 * lora.rank * 16 * len(lora.trainable_modules) * (2048 + 2048)
    saved = at.settings.stage1.iters // at.settings.training.checkpoint_every
    assert needs(at)[host.models_dir] >= adapter * (2 * 3 + saved + 1)


def test_certifying_needs_what_it_copies_where_the_registry_is(
    run: Run, host: Host, full_model: Callable[[Path], Path]
) -> None:
    model = full_model(run.folder.final_model)
    needed = needs(job(run, host, "certify"))
    assert needed[host.registry] == disk_budget.bytes_below(model)


def test_a_public_source_on_this_machine_counts_by_its_size_and_one_on_the_hub_by_experience(
    host: Host,
    tmp_path: Path,
    settings_with: Callable[..., object],
    make_run: Callable[..., Run],
    base_model: Path,
) -> None:
    local = tmp_path / "rows.jsonl"
    local.write_bytes(bytes(1_000_000))
    cvefixes = "datasets.sources.cvefixes.source"
    here = make_run(settings_with({"datasets.sources.crossvul.source": str(local), cvefixes: "null"}))
    assert needs(job(here, host, "dataset_1"))[host.models_dir] == 4_000_000 + disk_budget.LEAST
    hub = make_run(settings_with({cvefixes: "null"}), delivery="d2")
    assert needs(job(hub, host, "dataset_1"))[host.models_dir] == 600_000_000 + disk_budget.LEAST


def test_what_an_interrupted_attempt_left_is_not_needed_again(
    run: Run, host: Host, base_model: Path, free: dict[str, int]
) -> None:
    (base_model / "vocabulary.txt").write_bytes(bytes(9_000_000))
    free["bytes"] = 5_000_000
    assert shortage(job(run, host, "fuse")) is not None
    files.private_folder(run.folder.work("fuse"))
    (run.folder.work("fuse") / "draft").write_bytes(bytes(8_000_000))
    assert shortage(job(run, host, "fuse")) is None
