"""Twenty real trainings killed with SIGKILL at drawn points; each ends as if nothing had happened.

SECTUNE_KILL_SEED draws other points; a failure prints its seed and its points.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from jobs.children import parent, protocol
from jobs.children.task import Task
from jobs.fs import files
from jobs.mlx.requests import PullingRequest
from jobs.mlx.training.request import TrainingRequest
from jobs.providers.provider import StartAdapter

pytestmark = pytest.mark.slow
RequestFor = Callable[..., TrainingRequest]
RunChild = Callable[[str, Path, Struct], dict[str, Any]]
MODULE = "jobs.mlx.training.train"
KILLER = Path(__file__).with_name("killing_child.py")
SEED = int(os.environ.get("SECTUNE_KILL_SEED", "20261121"))
ITERATIONS = 24
DISTURBED = {
    "stage1__iters": str(ITERATIONS),
    "stage2__iters": str(ITERATIONS),
    "stage2__learning_rate": "5e-3",
    "training__lora__dropout": "0.2",
    "training__schedule__type": "cosine",
    "training__schedule__warmup_ratio": "0.2",
    "training__report_every": "3",
    "training__evaluate_every": "5",
    "training__checkpoint_every": "4",
}
MEASURED_ANEW = ("peak_memory_gb",)


@dataclass(frozen=True)
class Case:
    """One configuration: is the base quantised, how many batches make an update, which stage."""

    quantised: bool
    accumulation: int
    stage: int
    batch_tokens: int | None = None

    @property
    def changes(self) -> dict[str, str]:
        changes = {**DISTURBED, "training__grad_accumulation_steps": str(self.accumulation)}
        if self.batch_tokens:
            changes["training__batch_tokens"] = str(self.batch_tokens)
            changes["stage1__iters"] = changes["stage2__iters"] = str(ITERATIONS * 2)
        return changes


CASES = {
    "fp32, stage 1": Case(quantised=False, accumulation=1, stage=1),
    "fp32, accumulation 4, stage 2": Case(quantised=False, accumulation=4, stage=2),
    "quantised, token budget, stage 2": Case(quantised=True, accumulation=1, stage=2, batch_tokens=256),
    "quantised, accumulation 4, stage 1": Case(quantised=True, accumulation=4, stage=1),
}


@pytest.fixture(scope="session")
def quantised_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, run_any: RunChild) -> Path:
    folder = tmp_path_factory.mktemp("quantised")
    request = PullingRequest(
        source=str(tiny_model), revision=None, target=folder / "model", bits=4, group_size=32
    )
    run_any("jobs.mlx.pull", folder / "work", request)
    assert files.read_json(folder / "model" / "config.json")["quantization"]["bits"] == 4
    return folder / "model"


@pytest.fixture(scope="session")
def run_any() -> RunChild:
    def run(module: str, work: Path, payload: TrainingRequest) -> dict[str, Any]:
        task = Task(module=module, work=work, payload=payload, log=work.parent / "child.log")
        return parent.drive(task, lambda facts: None, lambda: False)

    return run


@pytest.mark.parametrize("name", CASES)
def test_a_training_killed_five_times_ends_with_the_same_bytes_and_the_same_reports(
    name: str,
    request_for: RequestFor,
    run_any: RunChild,
    tiny_model: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    case = CASES[name]
    model = request.getfixturevalue("quantised_model") if case.quantised else tiny_model
    start = None
    if case.stage == 2:
        first = replace(request_for("stage1", **case.changes), model=model)
        run_any(MODULE, tmp_path / "stage1" / "work", first)
        adapter = first.adapters / "adapters.safetensors"
        start = StartAdapter(adapter, files.sha256_file(adapter))
    undisturbed, killed = (
        replace(request_for(label, case.stage, start, **case.changes), model=model)
        for label in ("undisturbed", "killed")
    )
    trace = live(undisturbed, "")
    points = drawn(trace, random.Random(f"{SEED} {name}"))
    # Shown where the test fails; the suite's report keeps it where it does not.
    record_property("killed_at", [f"SECTUNE_KILL_SEED={SEED}", *points])
    sys.stdout.write("\n  ".join([f"SECTUNE_KILL_SEED={SEED}, {name}:", *points]) + "\n")
    for point in points:
        live(killed, point)
        assert not (work_of(killed) / protocol.RECEIPT).exists()
    result = run_any(MODULE, work_of(killed), killed)
    assert contents(killed) == contents(undisturbed)
    assert told(killed) == told(undisturbed)
    receipt = files.read_json(work_of(undisturbed) / protocol.RECEIPT)["result"]
    assert without_measured(result) == without_measured(receipt)


def work_of(request: TrainingRequest) -> Path:
    return request.metrics.parent / "work"


def live(request: TrainingRequest, end: str) -> list[str]:
    """One life of the child, until its end or until `end`; the points it passed."""
    work, root = work_of(request), request.metrics.parent
    task = Task(module=MODULE, work=work, payload=request, log=root / "child.log")
    parent.prepare(task)
    record = root.with_name(f"{root.name}.points")
    record.unlink(missing_ok=True)
    with (root / "child.out").open("ab") as output:
        process = subprocess.run(
            [sys.executable, "-P", str(KILLER), str(work), str(root), str(record), end],
            stdout=output,
            stderr=output,
            check=False,
        )
    expected = -signal.SIGKILL if end else 0
    assert process.returncode == expected, (
        f"at {end or 'the end'}: {(root / 'child.out').read_text()[-2000:]}"
    )
    return record.read_text().splitlines()


def drawn(trace: list[str], chance: random.Random) -> list[str]:
    """Five points in the order of the training, one of each kind.

    Each is at a later step than the one before, so that the life that goes on from a checkpoint passes it.
    """
    first = next(index for index, point in enumerate(trace) if "rename checkpoint" in point)
    last = next(index for index, point in enumerate(trace) if "finishing" in point)
    training = trace[first + 1 : last]
    kinds = [
        trace[:first],
        [point for point in training if "checkpoint" in point or "_adapters" in point],
        [point for point in training if "validation batch" in point or "best" in point],
        [point for point in training if "step applied" in point or "metrics" in point],
        trace[last:],
    ]
    while True:
        points = sorted((chance.choice(kind) for kind in kinds), key=trace.index)
        steps = [int(point.split("|")[0]) for point in points]
        if all(before < after for before, after in pairwise(steps)):
            return points


def contents(request: TrainingRequest) -> dict[str, Any]:
    """Every file of the adapter folder: its bytes, or what its JSON says but for what is measured anew."""
    folder = request.adapters
    return {
        path.name: without_measured(files.read_json(path)) if path.suffix == ".json" else path.read_bytes()
        for path in files.files_below(folder)
    }


def without_measured(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key not in MEASURED_ANEW}


def told(request: TrainingRequest) -> list[tuple[Any, ...]]:
    """The reports, but for the clock and the marks of resumes."""
    return list(_reports(request.metrics))


def _reports(metrics: Path) -> Iterator[tuple[Any, ...]]:
    for row in files.read_jsonl(metrics):
        if "resumed" not in row:
            yield tuple(row.get(key) for key in ("iteration", "train_loss", "valid_loss", "learning_rate"))
