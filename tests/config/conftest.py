"""The far edge of the settings: a child's request, a library's argument, an environment, a decision."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from config.job import of_stage
from config.load import state_dir
from config.settings import Settings
from daemon import log as logs
from daemon.inbox.intake import Intake, IntakeDependencies
from daemon.inbox.ledger import Ledger
from daemon.inbox.watcher import Watcher
from daemon.notify import Notifier
from daemon.power import PowerMonitor, PowerReading, reason_to_wait
from jobs import base_models
from jobs.children import parent
from jobs.children.task import Task
from jobs.evaluation.answering import EvaluationRequest
from jobs.findings.files.limits import limits_of
from jobs.mlx.requests import AnsweringModel
from jobs.pipeline import stage1_reuse
from jobs.pipeline.context import Host, Job, Skip
from jobs.pipeline.steps import certify, dataset, fuse, parse, train, upload
from jobs.providers import known
from jobs.providers.mlx.provider import Mlx
from jobs.providers.mlx.request import training_request
from jobs.providers.provider import Training
from jobs.registry.gates import gates
from jobs.runs.manifest import Output, Validation
from jobs.runs.store import Run, RunStore
from jobs.state_files import StateFiles

Observe = Callable[["Edge", Settings], Any]
SettingsWith = Callable[[Mapping[str, str]], Settings]


class Recorded(Exception):
    """A child would be started with this."""


class Edge:
    """Where settings leave our code."""

    def __init__(self, make_run: Callable[..., Run], patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.make_run = make_run
        self.patch = patch
        self.folder = folder
        self.count = 0

    def job(self, settings: Settings, step: str) -> Job:
        self.count += 1
        run = self.make_run(settings, delivery=f"d{self.count}")
        manifest = run.manifest
        manifest.provenance.base_model_sha256 = "0" * 64
        manifest.stage1.dataset_stats = {"per_source": {"crossvul": {"title": "CrossVul", "examples": 1}}}
        manifest.step("dataset_1").outputs = [Output(path="./x", sha256="1" * 64, bytes=1)]
        for stage in (run.folder.stage1, run.folder.stage2):
            stage.training_data.mkdir(parents=True)
            stage.adapters.mkdir()
            stage.evaluation.mkdir()
            for path in (stage.train_file, stage.test_file, stage.adapter_file, stage.metrics):
                path.write_text("{}\n")
        run.folder.findings.parent.mkdir()
        run.folder.findings.write_text("")
        host = Host(settings.paths.models_dir, state_dir(settings))
        return Job(run, settings, host, step)

    def request(self, step: Callable[[Job], Any], name: str, settings: Settings) -> dict[str, Any]:
        """The request that a step's child would get, without the names of this run's folders."""

        def record(job: Job, module: str, payload: Any, **options: Any) -> None:
            raise Recorded(module, job.task(module, payload).payload_json)

        job = self.job(settings, name)

        def record_task(task: Task, stopping: Any) -> None:
            raise Recorded(task.module, task.payload_json)

        self.patch.setattr(Job, "child", record)
        self.patch.setattr(parent, "start", record_task)
        self.patch.setattr(base_models, "locate", lambda folder, model: Path("/base") / model)
        with pytest.raises(Recorded) as caught:
            step(job)
        text = repr(caught.value.args)
        return {"request": text.replace(job.run.run_id, "RUN")}


def translated(number: int) -> Observe:
    def observe(edge: Edge, settings: Settings) -> Any:
        at = Path("/nowhere")
        training = Training(stage=number, base_model=at, data=at, data_sha256="0", adapters=at, metrics=at)
        return training_request(of_stage(settings, number), training)

    return observe


def child_of(step: Callable[..., Any], name: str, **options: Any) -> Observe:
    return lambda edge, settings: edge.request(lambda job: step(job, **options), name, settings)


def exam(edge: Edge, settings: Settings) -> Any:
    cases = edge.folder / "cases.jsonl"
    cases.write_text("")
    return EvaluationRequest(
        Path("/base"), [AnsweringModel(label="base")], cases, Path("/answers")
    ).child_request(settings)


def certified(edge: Edge, settings: Settings) -> Any:
    seen: dict[str, Any] = {}

    def record(registry: Path, request: Any) -> Path:
        seen.update(name=[request.family, request.version, request.language, request.datasets])
        seen["registry"] = registry.name
        return registry / "entry"

    edge.patch.setattr(certify, "certify", record)
    edge.patch.setattr(certify, "activate", lambda *args, **options: seen.update(activated=True))
    job = edge.job(settings, "certify")
    certify.run(job)
    return seen


def uploaded(edge: Edge, settings: Settings) -> Any:
    seen: list[Any] = []
    edge.patch.setattr(upload, "upload", lambda folder, *rest: seen.append(rest) or "there")
    job = edge.job(settings, "upload")
    job.manifest.certified = certify.Certified(name="entry", path="../entry", activated=True)
    try:
        upload.run(job)
    except Skip as skip:
        return str(skip)
    return seen


def intake(edge: Edge, settings: Settings, models_dir: Path) -> Intake:
    state = StateFiles(edge.folder)
    return Intake(IntakeDependencies(settings, Ledger(state.ledger), RunStore(models_dir), state, print))


def watcher(edge: Edge, settings: Settings) -> Any:
    receiver = intake(edge, settings, edge.folder)
    made = Watcher(settings.paths.inbox, settings.inbox, receiver, receiver.ledger, threading.Event())
    return (made.root, made.settling.stable_seconds, made.times.quiet_seconds, made.times.scan_seconds)


def gathering(edge: Edge, settings: Settings) -> Any:
    job = edge.job(settings, "parse")
    return intake(edge, settings, job.host.models_dir)._unfinished_run() is None


def parsing(edge: Edge, settings: Settings) -> Any:
    seen: dict[str, Any] = {}

    def record(paths: Any, limits: Any, **options: Any) -> None:
        seen.update(options, limits=asdict(limits) if hasattr(limits, "__dataclass_fields__") else limits)
        raise Recorded

    edge.patch.setattr(parse, "parse_paths", record)
    with pytest.raises(Recorded):
        parse.run(edge.job(settings, "parse"))
    return seen


def shared_queue(edge: Edge, settings: Settings) -> Any:
    from jobs import queue

    seen: list[Any] = []
    edge.patch.setattr(queue, "missing_client", lambda storage: None)
    for name in ("SqliteHuey", "RedisHuey", "PostgresHuey"):

        def record(name: str = name, **options: Any) -> None:
            seen.append((name, options.get("url")))
            raise Recorded

        edge.patch.setattr(queue, name, record)
    with pytest.raises(Recorded):
        queue.Queue(edge.folder / "queue.db", settings=settings.queue)
    return seen


def supervised(edge: Edge, settings: Settings) -> Any:
    from daemon.supervisor import Supervisor

    seen: dict[str, Any] = {}

    class FakeQueue:
        def __init__(self, *args: Any) -> None:
            pass

        def enqueue(self, run_id: str) -> bool:
            return True

        def consumer(self, workers: int) -> None:
            seen["workers"] = workers
            raise Recorded

    class Waiting:
        def is_set(self) -> bool:
            return "seconds" in seen

        def wait(self, seconds: float) -> bool:
            seen["seconds"] = seconds
            return True

    made = Supervisor(settings)
    made.stopping = Waiting()  # type: ignore[assignment]
    made._reconcile(FakeQueue())  # type: ignore[arg-type]
    made.stopping = threading.Event()
    made.stopping.set()
    edge.patch.setattr("daemon.supervisor.Queue", FakeQueue)
    edge.patch.setattr("daemon.supervisor.logs.configure", lambda *args: None)
    with pytest.raises(Recorded):
        made._run()
    return seen


def attempts(edge: Edge, settings: Settings) -> Any:
    from jobs.pipeline import chain, step_table

    run = edge.job(settings, "parse").run
    edge.patch.setitem(step_table.STEPS, "parse", replace(step_table.STEPS["parse"], do=lambda job: 1 / 0))
    tried = 0
    while chain.advance(run, Host(settings.paths.models_dir, state_dir(settings))) is chain.Outcome.NEXT:
        tried += 1
    return tried


def reserved(edge: Edge, settings: Settings) -> Any:
    from daemon.supervisor import Supervisor

    return Supervisor(settings).host.reserve_bytes


def power(edge: Edge, settings: Settings) -> Any:
    noon = datetime(2026, 11, 21, 12, 0)
    readings = [PowerReading(on_battery=True), PowerReading(low_power=True), PowerReading()]
    return [reason_to_wait(settings.power, reading, noon) for reading in readings]


def awake(edge: Edge, settings: Settings) -> Any:
    started: list[Any] = []
    edge.patch.setattr("daemon.power.subprocess.Popen", lambda words, **options: started.append(words))
    PowerMonitor(settings.power, edge.folder / "device.lock", platform="darwin")._stay_awake("pid 12 run")
    return started


def told(edge: Edge, settings: Settings) -> Any:
    from launchd.run_program import ProgramOutput

    calls: list[Any] = []

    def record(words: list[str], seconds: float, text: str = "") -> ProgramOutput:
        calls.append((words[0], seconds))
        return ProgramOutput(0, "")

    edge.patch.setattr("daemon.notify.call", record)
    Notifier(settings.notify, platform="darwin").tell(
        {"status": "completed", "run_id": "r", "status_reason": None}
    )
    return calls


def pulled(edge: Edge, settings: Settings) -> Any:
    return base_models.pull_request(Path("/base"), settings.base_model)


def preloaded(edge: Edge, settings: Settings) -> Any:
    return parent.child_environment(settings.training.preload_library).get("LD_PRELOAD")


def reused(edge: Edge, settings: Settings) -> Any:
    asked: list[str] = []
    edge.patch.setattr(stage1_reuse, "find", lambda job, key: asked.append(key))
    edge.request(lambda job: train.run(job, stage=1), "train_1", settings)
    return len(asked)


def trainer(edge: Edge, settings: Settings) -> Any:
    started: list[str] = []

    def start(provider: Mlx, *given: Any) -> None:
        started.append(provider.name)
        raise Recorded

    other = Mlx()
    other.name = "other"
    edge.patch.setattr(Mlx, "start", start)
    edge.patch.setitem(known.PROVIDERS, "other", other)
    edge.request(lambda job: train.run(job, stage=1), "train_1", settings)
    return started


def held(edge: Edge, settings: Settings) -> Any:
    scores = Validation(stage1_score=65.0, stage2_score=75.0, retention_rate=95.0)
    return [(gate.name, gate.threshold) for gate in gates(settings.gates, scores, current_score=10.0)]


def logged(edge: Edge, settings: Settings) -> Any:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    try:
        logs.configure(edge.folder / f"logs{edge.count}", settings.log, console=False)
        of_daemon, of_runs = root.handlers
        return root.level, of_daemon.maxBytes, of_daemon.backupCount, of_runs.max_bytes, of_runs.backups  # type: ignore[attr-defined]
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:], root.level = before


OF_THE_DAEMON = (watcher, gathering, shared_queue, supervised, reserved, power, awake, told, logged)
OF_THE_STEPS = (exam, certified, uploaded, parsing, attempts, pulled, preloaded, reused, trainer, held)
OBSERVERS: dict[str, Observe] = {
    "translated_1": translated(1),
    "translated_2": translated(2),
    "dataset_1": child_of(dataset.run, "dataset_1", stage=1),
    "dataset_2": child_of(dataset.run, "dataset_2", stage=2),
    "fuse": child_of(fuse.run, "fuse"),
    "registry": lambda edge, settings: Host(settings.paths.models_dir, Path("/s")).registry,
    "device_lock": lambda edge, settings: Host(Path("/m"), state_dir(settings)).device_lock,
    "limits": lambda edge, settings: limits_of(settings),
    **{observe.__name__: observe for observe in (*OF_THE_DAEMON, *OF_THE_STEPS)},
}


@pytest.fixture
def make_edge(make_run: Callable[..., Run]) -> Callable[[pytest.MonkeyPatch, Path], Edge]:
    """Makes an edge that patches with this, and writes there."""
    return lambda patch, folder: Edge(make_run, patch, folder)


@pytest.fixture
def observe_edge(make_edge: Callable[[pytest.MonkeyPatch, Path], Edge]) -> Callable[..., Any]:
    """What the far edge gets: the observer's name, the settings, a monkeypatch and a folder go in."""

    def observe(name: str, settings: Settings, patch: pytest.MonkeyPatch, folder: Path) -> Any:
        folder.mkdir()
        return OBSERVERS[name](make_edge(patch, folder), settings)

    return observe
