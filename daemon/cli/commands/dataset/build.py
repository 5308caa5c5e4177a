"""`sectune dataset build`: one stage's training data, by a child process."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from config.settings import Settings
from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from daemon.cli.dataset_counts import count_examples, print_counts
from daemon.cli.dataset_folder import PARTS, stats_beside
from jobs import base_models
from jobs.children import parent
from jobs.children.task import Task
from jobs.datasets.public import sources as public_sources
from jobs.datasets.public.source import Source
from jobs.datasets.request import (
    BuildFolders,
    BuildMessage,
    Stage1Request,
    Stage2Request,
    stage1_request,
    stage2_request,
)
from jobs.errors import ChildFailed, DeliveryRefused, NotFoundError, OperatorError
from jobs.findings.files.limits import limits_of
from jobs.findings.parse import parse_paths
from jobs.fs import files

MODULE = "jobs.datasets.child"
app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class BuildOptions:
    """What `sectune dataset build` was told.

    Args:
        stage: 1 or 2.
        out: The folder to fill, absolute.
        tokenizer: A folder; None takes the base model's.
        sources: Where public sources are, by name; where there are none, the settings'.
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


def parse_locations(known: Mapping[str, str | None], named: Sequence[str]) -> dict[str, str]:
    """Where public sources are, by name: those of the options, then those given as NAME=PLACE.

    Raises:
        OperatorError: A text is no NAME=PLACE, or its source does not exist.
    """
    found = {name: location for name, location in known.items() if location}
    for text in named:
        name, equals, location = text.partition("=")
        if not equals or not location:
            raise OperatorError(
                f"{text!r} is no NAME=PLACE.", "For example: --public crossvul=~/data/crossvul"
            )
        found[public_sources.check_name(name)] = location
    return found


@app.command()
def build(  # noqa: PLR0913 - typer makes an option of each argument
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="The folder to fill; what an earlier build left is replaced.")],
    stage: Annotated[int, typer.Option(min=1, max=2, help="1: public fixes. 2: fixes of findings.")] = 1,
    crossvul: Annotated[str | None, typer.Option(help="Folder, file or Hub id, for stage 1.")] = None,
    cvefixes: Annotated[str | None, typer.Option(help="Folder, file or Hub id, for stage 1.")] = None,
    public: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PLACE", help="Any public source, for stage 1.")
    ] = None,
    reports: Annotated[list[Path] | None, typer.Option(help="Scan reports, for stage 2.")] = None,
    more_reports: Annotated[list[Path] | None, typer.Argument(metavar="[REPORT]...")] = None,
    stage1: Annotated[Path | None, typer.Option(help="Stage 1's training data, for stage 2.")] = None,
    source: Annotated[
        Path | None, typer.Option(help="A checkout of the scanned code.", exists=True, file_okay=False)
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="A tokenizer's folder; without one, the base model's.")
    ] = None,
    json: Json = False,
) -> None:
    """Build one stage's training data; no daemon is needed."""
    sources = parse_locations({"crossvul": crossvul, "cvefixes": cvefixes}, public or [])
    every_report = [*(reports or []), *(more_reports or [])]
    folder = out.expanduser().absolute()
    wanted = BuildOptions(stage, folder, tokenizer, sources, every_report, stage1, source)
    stats = _build(context_of(context).settings, wanted)
    if json:
        terminal.emit_json(stats)
    else:
        print_counts(count_examples(wanted.out, stats))


def _build(settings: Settings, wanted: BuildOptions) -> dict[str, Any]:
    """Have a child process build it; returns its statistics, which are kept beside the folder, too."""
    _must_be_replaceable(wanted.out)
    with tempfile.TemporaryDirectory(prefix="sectune-dataset-", ignore_cleanup_errors=True) as scratch:
        work = Path(scratch)
        request = (
            _stage1_request(settings, wanted)
            if wanted.stage == 1
            else _stage2_request(settings, wanted, work)
        )
        task = Task(
            module=MODULE,
            work=files.private_folder(work / "child"),
            payload=BuildMessage(request=request),
            log=work / "build.log",
        )
        stats = _drive(task)
    files.write_json(stats_beside(wanted.out), stats)
    return stats


def _drive(task: Task) -> dict[str, Any]:
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


def _folders(settings: Settings, wanted: BuildOptions) -> BuildFolders:
    return BuildFolders(wanted.out, _tokenizer(settings, wanted.tokenizer), settings.paths.models_dir)


def _tokenizer(settings: Settings, named: Path | None) -> Path:
    if named is not None:
        return named.expanduser().absolute()
    try:
        return base_models.locate(settings.paths.models_dir / "base", settings.base_model.name)
    except OperatorError as error:
        raise OperatorError(
            f"Examples are measured with the training tokenizer, and there is none. {error.message}",
            "Name a folder with a tokenizer and its chat template: --tokenizer PATH. Or set base_model.name.",
        ) from error


def _stage1_request(settings: Settings, wanted: BuildOptions) -> Stage1Request:
    named = tuple(Source(name, _absolute(location)) for name, location in wanted.sources.items())
    return stage1_request(settings, _folders(settings, wanted), named)


def _absolute(location: str) -> str:
    """A path as an absolute one, since the child works in another folder; a Hub id as it is."""
    path = Path(location).expanduser()
    return str(path.absolute()) if path.exists() or location.startswith((".", "/", "~")) else location


def _stage2_request(settings: Settings, wanted: BuildOptions, work: Path) -> Stage2Request:
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
    return stage2_request(settings, _folders(settings, wanted), findings, replay_from)


def _stage1_train(folder: Path) -> Path:
    for candidate in (folder, folder / "training-data", folder / "stage1" / "training-data"):
        if (candidate / "train.jsonl").is_file():
            return candidate / "train.jsonl"
    raise NotFoundError(f"There is no train.jsonl in {folder}.", "Build it: sectune dataset build --stage 1")
