"""Commands about training data: build it, show examples as a person reads them, count what is in it."""

from __future__ import annotations

import json as json_module
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon import terminal
from daemon.cli.world import World
from jobs import base_models
from jobs.children import parent
from jobs.datasets.examples.drop_reasons import DROP_REASONS
from jobs.datasets.public import sources as public_sources
from jobs.datasets.request import Source, Stage1Request, Stage2Request, sources_of
from jobs.errors import ChildFailed, DeliveryRefused, NotFoundError, OperatorError
from jobs.findings.files.limits import limits_of
from jobs.findings.parse import parse_paths
from jobs.fs import files

MODULE = "jobs.datasets.child"
PARTS = ("train", "valid", "test")
KINDS = ("source", "quality", "language", "cwe")
TOP = 12  # CWEs and languages listed by name


@dataclass(frozen=True)
class Build:
    """What `sectune dataset build` was told.

    Args:
        stage: 1 or 2.
        out: The folder to fill.
        tokenizer: A folder; None takes the base model's.
        sources: Places of public sources by name; where there are none, the settings'.
        reports: Scan reports for stage 2.
        stage1: The folder of stage 1's training data, for stage 2.
        checkout: A checkout of the scanned code; the code around each finding is taken from it.
    """

    stage: int
    out: Path
    tokenizer: Path | None
    sources: dict[str, str]
    reports: list[Path]
    stage1: Path | None
    checkout: Path | None = None


def places(known: Mapping[str, str | None], named: Sequence[str]) -> dict[str, str]:
    """Places of public sources by name: those of the options, then those given as NAME=PLACE.

    Raises:
        OperatorError: A text is no NAME=PLACE, or its source does not exist.
    """
    found = {name: place for name, place in known.items() if place}
    for text in named:
        name, equals, place = text.partition("=")
        if not equals or not place:
            raise OperatorError(
                f"{text!r} is no NAME=PLACE.", "For example: --public crossvul=~/data/crossvul"
            )
        found[public_sources.checked(name)] = place
    return found


def build(world: World, wanted: Build, json: bool) -> None:
    """Build one stage's training data in a child process; the statistics go to stdout."""
    out = wanted.out.expanduser().absolute()
    _must_be_replaceable(out)
    with tempfile.TemporaryDirectory(prefix="sectune-dataset-", ignore_cleanup_errors=True) as scratch:
        work = Path(scratch)
        request = (
            _stage1_request(world, wanted, out)
            if wanted.stage == 1
            else _stage2_request(world, wanted, out, work)
        )
        task = parent.Task(
            module=MODULE,
            work=files.private_folder(work / "child"),
            payload={"stage": wanted.stage, "request": request.to_json()},
            log=work / "build.log",
        )
        stats = _driven(task)
    files.write_json(stats_beside(out), stats)
    if json:
        terminal.emit_json(stats)
    else:
        _say(_counted(out, stats))


def _driven(task: parent.Task) -> dict[str, Any]:
    progress = _Progress()
    try:
        return parent.drive(task, progress, lambda: False)
    except BaseException as error:
        parent.stop(task.work)  # it has a session of its own, so Ctrl-C does not reach it
        if isinstance(error, ChildFailed):  # what it printed is in a folder that goes away now
            for line in getattr(error, "__notes__", []):
                terminal.note(line)
        raise
    finally:
        progress.end()


class _Progress:
    """How far the child is, on stderr: one line that changes on a terminal, one line a phase elsewhere."""

    def __init__(self) -> None:
        self._phase = ""
        self._live = sys.stderr.isatty()

    def __call__(self, facts: dict[str, Any]) -> None:
        phase, done, total = str(facts.get("phase", "")), facts.get("iteration"), facts.get("iterations")
        if self._live:
            sys.stderr.write(f"\r\x1b[K{phase} {terminal.bar(done, total)} {done or ''}")
            sys.stderr.flush()
        elif phase != self._phase:
            terminal.note(f"{phase} ...")
        self._phase = phase

    def end(self) -> None:
        if self._live and self._phase:
            sys.stderr.write("\r\x1b[K")


def _must_be_replaceable(out: Path) -> None:
    """The folder is replaced as a whole, so it must hold nothing but an earlier build."""
    strangers = [path.name for path in out.iterdir() if path.stem not in PARTS] if out.is_dir() else []
    if strangers or out.is_file():
        raise OperatorError(
            f"{out} is to be replaced as a whole, but is or holds {sorted(strangers)[:3] or 'a file'}.",
            "Name a new folder, or one that an earlier build filled.",
        )


def _shared(world: World, wanted: Build, out: Path) -> dict[str, Any]:
    settings = world.loaded.settings
    return {
        "out": out,
        "tokenizer": _tokenizer(world, wanted.tokenizer),
        "max_seq_length": settings.training.max_seq_length,
        "seed": settings.seed,
        "valid_fraction": settings.datasets.valid_fraction,
        "test_fraction": settings.datasets.test_fraction,
        "quality_weight_multiplier": settings.datasets.quality_weight_multiplier,
        "augmentation": settings.datasets.augmentation,
        "cache": settings.paths.models_dir / "cache" / "datasets",
    }


def _tokenizer(world: World, named: Path | None) -> Path:
    if named is not None:
        return named.expanduser().absolute()
    settings = world.loaded.settings
    try:
        return base_models.locate(settings.paths.models_dir / "base", settings.base_model.name)
    except OperatorError as error:
        raise OperatorError(
            f"Examples are measured with the training tokenizer, and there is none. {error.message}",
            "Name a folder with a tokenizer and its chat template: --tokenizer PATH. Or set base_model.name.",
        ) from error


def _stage1_request(world: World, wanted: Build, out: Path) -> Stage1Request:
    settings = world.loaded.settings.datasets
    named = tuple(Source(name, _place(place)) for name, place in wanted.sources.items())
    sources = named or sources_of(settings)
    return Stage1Request(**_shared(world, wanted, out), context_lines=settings.context_lines, sources=sources)


def _place(location: str) -> str:
    """A path as an absolute one, since the child works in another folder; a Hub id as it is."""
    path = Path(location).expanduser()
    return str(path.absolute()) if path.exists() or location.startswith((".", "/", "~")) else location


def _stage2_request(world: World, wanted: Build, out: Path, work: Path) -> Stage2Request:
    settings = world.loaded.settings
    if not wanted.reports or wanted.stage1 is None:
        raise OperatorError(
            "Stage 2 is made of reports and of stage 1's training data.",
            "Name both: --reports PATH ... --stage1 DIR",
        )
    replay_from = _stage1_train(wanted.stage1.expanduser().absolute())
    parsed = parse_paths(wanted.reports, limits_of(settings), source=wanted.checkout)
    for report in parsed.files:
        if report.verdict == "refused":
            terminal.note(f"{report.path}: {report.verdict}: {report.reason}")
    if not parsed.findings:
        raise DeliveryRefused("The reports hold no findings.", "See what each gave: sectune parse PATH ...")
    findings = work / "findings.jsonl"
    files.write_jsonl(findings, (finding.to_json() for finding in parsed.findings))
    return Stage2Request(
        **_shared(world, wanted, out),
        findings=findings,
        replay_from=replay_from,
        replay_ratio=settings.datasets.replay_ratio,
        domain=settings.datasets.domain,
        include_advice=settings.datasets.include_advice,
    )


def _stage1_train(folder: Path) -> Path:
    for candidate in (folder, folder / "training-data", folder / "stage1" / "training-data"):
        if (candidate / "train.jsonl").is_file():
            return candidate / "train.jsonl"
    raise NotFoundError(f"There is no train.jsonl in {folder}.", "Build it: sectune dataset build --stage 1")


@dataclass(frozen=True)
class Place:
    """A built data set, and what its build said about it (None where nobody kept that)."""

    folder: Path
    stats: dict[str, Any] | None


def stats_beside(folder: Path) -> Path:
    """Where `build` keeps the statistics: beside the folder, which holds JSON lines only."""
    return folder.with_name(f"{folder.name}-stats.json")


def place_of(world: World, target: str, stage: int | None) -> Place:
    """The data set that a folder or a run's id means; of a run, stage 2's where it is there.

    Raises:
        NotFoundError: There is none.
    """
    path = Path(target).expanduser()
    if path.is_dir():
        folder = next(
            (each for each in (path, path / "training-data") if (each / "train.jsonl").is_file()), None
        )
        if folder is None:
            raise NotFoundError(f"There is no train.jsonl in {path}.")
        beside = stats_beside(folder.absolute())
        return Place(folder, files.read_json(beside) if beside.is_file() else None)
    run = world.store.open(target)
    for number in (2, 1) if stage is None else (stage,):
        folder = run.folder.stage(number).training_data
        if (folder / "train.jsonl").is_file():
            return Place(folder, run.manifest.stage(number).dataset_stats or None)
    raise NotFoundError(f"Run {run.run_id} has no training data{f' of stage {stage}' if stage else ''} yet.")


@dataclass(frozen=True)
class View:
    """Which examples to show.

    Args:
        part: train, valid or test; None is all.
        source: Only of this source.
        cwe: Only with this CWE ("CWE-79" or "79").
        number: Only this line of its part, counted from 1.
        count: At most this many.
    """

    part: str | None
    source: str | None
    cwe: str | None
    number: int | None
    count: int


def show(world: World, target: str, stage: int | None, view: View, json: bool) -> None:
    """Print examples as a person reads them."""
    if view.part not in (None, *PARTS):
        raise OperatorError(f"There is no part {view.part}.", f"The parts are {', '.join(PARTS)}.")
    place = place_of(world, target, stage)
    found = [
        (part, number, row)
        for _, (part, number, row) in zip(range(view.count), _chosen(place.folder, view), strict=False)
    ]
    if json:
        terminal.emit_json(
            {"examples": [{"part": part, "number": number, **row} for part, number, row in found]}
        )
    elif not found:
        terminal.note("No example matches.")
    else:
        sys.stdout.write("\n".join(_readable(*each) for each in found))


def _chosen(folder: Path, view: View) -> Iterator[tuple[str, int, dict[str, Any]]]:
    cwe = f"CWE-{view.cwe.upper().removeprefix('CWE-')}" if view.cwe else None
    for part, number, row in rows_of(folder, (view.part,) if view.part else PARTS):
        facts = row["metadata"]
        if view.number not in (None, number) or view.source not in (None, facts["source"]):
            continue
        if cwe is None or cwe in facts.get("cwe_ids", [facts.get("cwe_id")]):
            yield part, number, row


def rows_of(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Each example of some parts with its part and its line, counted from 1."""
    for part in parts:
        path = folder / f"{part}.jsonl"
        for number, row in enumerate(files.read_jsonl(path) if path.is_file() else (), 1):
            yield part, number, row


def _readable(part: str, number: int, row: dict[str, Any]) -> str:
    facts = row["metadata"]
    marks = [name for name in ("replay_from_stage1", "augmented") if facts.get(name)]
    head = f"{part} {number}  {facts['source']}  quality {facts['quality']}  {' '.join(marks)}".rstrip()
    turns = [f"--- {turn['role']}\n{turn['content']}" for turn in row["messages"]]
    origin = f"--- from {facts.get('provenance')} ({facts.get('attribution')})"
    return "\n".join([f"{'=' * 78}", head, *turns, origin, ""])


def stats(world: World, target: str, stage: int | None, json: bool) -> None:
    """Count what a data set holds."""
    place = place_of(world, target, stage)
    counted = _counted(place.folder, place.stats)
    if json:
        terminal.emit_json(counted)
    else:
        _say(counted)


def _counted(folder: Path, stats: dict[str, Any] | None) -> dict[str, Any]:
    parts: dict[str, dict[str, Any]] = {}
    for part in PARTS:
        kinds: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
        distinct: set[int] = set()
        for _, _, row in rows_of(folder, (part,)):
            distinct.add(hash(json_module.dumps(row["messages"])))
            _count(kinds, row["metadata"])
        parts[part] = {
            "rows": kinds["quality"].total(),
            "distinct": len(distinct),
            **{f"by_{name}": dict(counts.most_common()) for name, counts in kinds.items()},
        }
    return {"folder": str(folder), "parts": parts, "dataset_stats": stats}


def _count(kinds: dict[str, Counter[str]], facts: dict[str, Any]) -> None:
    replayed = " (replay)" if facts.get("replay_from_stage1") else ""
    kinds["source"][f"{facts['source']}{replayed}"] += 1
    kinds["language"][facts.get("language") or "unknown"] += 1
    kinds["quality"][facts["quality"]] += 1
    kinds["cwe"].update(facts.get("cwe_ids") or ["none"])


def _say(counted: dict[str, Any]) -> None:
    parts = counted["parts"]
    terminal.table(
        ("part", "rows", "distinct"), [(part, parts[part]["rows"], parts[part]["distinct"]) for part in PARTS]
    )
    for name in KINDS:
        totals: Counter[str] = Counter()
        for part in PARTS:
            totals.update(parts[part][f"by_{name}"])
        shown = [key for key, _ in totals.most_common(TOP)]
        rows = [(key, *(parts[part][f"by_{name}"].get(key, 0) for part in PARTS)) for key in shown]
        terminal.say()
        terminal.table((name, *PARTS), rows)
        if len(totals) > TOP:
            terminal.say(f"and {len(totals) - TOP} more (--json lists all)")
    if counted["dataset_stats"] is None:
        terminal.note("Drops and lengths are not known: nobody kept this build's statistics.")
    else:
        _say_build(counted["dataset_stats"])


def _say_build(stats: dict[str, Any]) -> None:
    dropped = sorted(stats["dropped"].items(), key=lambda item: (-item[1], item[0]))
    terminal.say()
    terminal.table(
        ("left out", "count", "counted by", "why"),
        [(name, count, *DROP_REASONS.get(name, ("", ""))) for name, count in dropped],
    )
    histogram = stats.get("token_histogram", [])
    most = max((step["examples"] for step in histogram), default=0)
    terminal.say()
    terminal.table(
        ("tokens up to", "examples", ""),
        [(step["up_to"], step["examples"], _bar(step["examples"], most)) for step in histogram],
    )
    redacted = stats.get("redacted")
    if redacted:
        kinds = ", ".join(f"{count} x {kind}" for kind, count in redacted["by_kind"].items()) or "none"
        terminal.say(f"\nsecrets redacted in {redacted['examples']} examples: {kinds}")
    cache = stats.get("cache")
    if cache:
        terminal.say(f"cache: {'hit' if cache['hit'] else 'built'} {cache['key'] or '(no key: not pinned)'}")


def _bar(count: int, most: int) -> str:
    return "━" * max(round(40 * count / most), 1) if count else ""
