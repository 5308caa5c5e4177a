"""The judge: what the runs left behind against what was promised, each promise a verdict with its figure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
from household import CHECKPOINT_EVERY, ITERATIONS, Household, delivery_of
from killing import Shot
from sessions import Session, redone_between, sessions_of, together
from writes import unfinished

from jobs.fs import files
from jobs.runs import manifest as manifests

MEASURED = "training_metadata.json"  # carries peak memory, which is never the same twice


@dataclass(frozen=True)
class Verdict:
    """One promise, how it went in figures, and what is wrong (nothing, if it was kept)."""

    promise: str
    figure: str
    problems: Sequence[str] = field(default=())


@dataclass(frozen=True)
class Case:
    """All there is to judge.

    Args:
        disturbed: The household that was killed in.
        quiet: The one that was left alone.
        twins: For each delivery of the disturbed household, the same delivery's name in the quiet one.
        shots: The kills.
        kills: How many were asked for.
    """

    disturbed: Household
    quiet: Household
    twins: Mapping[str, str]
    shots: Sequence[Shot]
    kills: int


def judge(case: Case) -> list[Verdict]:
    """Every verdict."""
    judges: Sequence[Callable[[Case], Verdict]] = (
        _kills,
        _none_lost,
        _none_doubled,
        _manifests,
        _same_bytes,
        _iterations,
        _one_trainer,
        _inbox,
        _certified,
        _leftovers,
    )
    return [each(case) for each in judges]


def _kills(case: Case) -> Verdict:
    shots = case.shots
    kinds = Counter(shot.victim for shot in shots)
    told = ", ".join(f"{kinds[kind]} {kind}" for kind in ("daemon", "child", "both"))
    middle = sum(shot.left for shot in shots)
    problems = [f"{len(shots)} kills instead of {case.kills}"] if len(shots) != case.kills else []
    return Verdict("kills made", f"{len(shots)} ({told}), {middle} in the middle of a write", problems)


def _none_lost(case: Case) -> Verdict:
    completed = {delivery_of(m) for _, m in case.disturbed.manifests() if m["status"] == "completed"}
    others = {
        delivery_of(m): f"{m['status']}: {m['status_reason']}"
        for _, m in case.disturbed.manifests()
        if m["status"] != "completed"
    }
    lost = [f"{name}: {others.get(name, 'no run')}" for name in case.twins if name not in completed]
    return Verdict("no run is lost", f"{len(lost)} of {len(case.twins)} lost", lost)


def _none_doubled(case: Case) -> Verdict:
    made = Counter(delivery_of(m) for _, m in case.disturbed.manifests())
    doubled = [f"{name}: {count} runs" for name, count in made.items() if count > 1]
    strangers = [f"{name}: nobody delivered it" for name in made if name not in case.twins]
    return Verdict("no run is doubled", f"{len(doubled)} doubled", doubled + strangers)


def _manifests(case: Case) -> Verdict:
    schema = files.read_json(Path(manifests.__file__).with_name("manifest.schema.json"))
    problems, count = [], 0
    for folder, manifest in case.disturbed.manifests():
        count += 1
        errors = jsonschema.Draft202012Validator(schema).iter_errors(manifest)
        problems += [f"{folder.name}: {error.message}" for error in errors]
        done = case.disturbed.command("runs", "validate", folder.name)
        if done.returncode:
            problems.append(f"{folder.name}: {' '.join(done.stdout.split())}")
    return Verdict("every manifest is valid", f"{count} by schema and `runs validate`", problems)


def _same_bytes(case: Case) -> Verdict:
    quiet = {delivery_of(m): folder for folder, m in case.quiet.manifests()}
    problems, compared = [], 0
    for folder, manifest in case.disturbed.manifests():
        twin = quiet[case.twins[delivery_of(manifest)]]
        for part in ("stage1/adapters", "stage2/adapters", "final-model", "stage1/training-data"):
            ours, theirs = _hashes(folder / part), _hashes(twin / part)
            compared += len(ours)
            different = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
            problems += [f"{folder.name}: {part}/{name} differs from {twin.name}" for name in different]
        problems += _other_losses(folder, twin)
    return Verdict(
        "adapters and models are the same bytes", f"{compared} files, {len(problems)} differ", problems
    )


def _hashes(folder: Path) -> dict[str, str]:
    found = [path for path in files.files_below(folder) if path.name != MEASURED] if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): files.sha256_file(path) for path in found}


def _other_losses(folder: Path, twin: Path) -> list[str]:
    problems = []
    for stage in ("stage1", "stage2"):
        ours, theirs = (_losses(run / stage / "metrics.jsonl") for run in (folder, twin))
        if ours != theirs:
            problems.append(f"{folder.name}: the losses of {stage} are others than those of {twin.name}")
    return problems


def _losses(path: Path) -> list[Any]:
    rows = files.read_jsonl(path) if path.exists() else iter(())
    numbers = ("iteration", "train_loss", "valid_loss")
    return [[row.get(name) for name in numbers] for row in rows if "resumed" not in row]


def _iterations(case: Case) -> Verdict:
    killed = {pid for shot in case.shots for pid in shot.pids.values()}
    problems: list[str] = []
    redone: list[int] = []
    lives: list[Session] = []
    trainings = 0
    for name, step, found in _trainings(case.disturbed):
        trainings += 1
        lives += found
        again, wrong = redone_between(found, killed, CHECKPOINT_EVERY, ITERATIONS)
        redone += again
        problems += [f"{name}: {step}: {problem}" for problem in wrong]
    alone = [shot.clock for shot in case.shots if shot.victim == "daemon"]
    spared = sum(session.first <= clock <= session.last for clock in alone for session in lives)
    figure = (
        f"{sum(redone)} of {trainings * ITERATIONS}: at most {max(redone, default=0)} in each of "
        f"{len(redone)} deaths of a trainer (a checkpoint every {CHECKPOINT_EVERY}), "
        f"0 in {spared} deaths of the daemon alone under it"
    )
    return Verdict("iterations redone", figure, problems)


def _one_trainer(case: Case) -> Verdict:
    found = [session for _, _, each in _trainings(case.disturbed) for session in each]
    return Verdict("never two trainers at once", f"{len(found)} trainers", together(found))


def _trainings(household: Household) -> Iterable[tuple[str, str, list[Session]]]:
    for folder, _ in household.manifests():
        for step, found in sessions_of(household.run_log(folder.name)).items():
            yield folder.name, step, found


def _inbox(case: Case) -> Verdict:
    listed = json.loads(case.disturbed.command("inbox", "--json").stdout)["files"]
    states = Counter(entry["state"] for entry in listed)
    queued = Counter(Path(entry["path"]).name for entry in listed if entry["state"] == "queued")
    problems = [f"{name}: queued {queued[name]} times" for name in case.twins if queued[name] != 1]
    problems += [f"{entry['path']}: {entry['state']}: {entry['reason']}" for entry in listed
                 if entry["state"] != "queued"]  # fmt: skip
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return Verdict("every delivered file is in one run", told, problems)


def _certified(case: Case) -> Verdict:
    registry = case.disturbed.scene.models_dir / "certified"
    names = {str(m["certified"]["name"]) for _, m in case.disturbed.manifests() if m["certified"]}
    problems = [] if (registry / "CURRENT" / "metadata.json").exists() else ["CURRENT names no model"]
    for name in sorted(names):
        done = case.disturbed.command("models", "verify", name)
        if done.returncode:
            problems.append(f"{name}: {' '.join((done.stdout + done.stderr).split())}")
    return Verdict("every certified model verifies", f"{len(names)} models", problems)


def _leftovers(case: Case) -> Verdict:
    root = case.disturbed.scene.models_dir
    left = [str(write.path.relative_to(root)) for write in unfinished([root])]
    return Verdict("nothing unfinished stays behind", f"{len(left)} temporary files", left)
