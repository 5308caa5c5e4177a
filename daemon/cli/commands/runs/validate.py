"""`sectune runs validate`."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from daemon.exit_codes import FAILED, OK
from jobs.fs import files
from jobs.runs.store import Run
from jobs.runs.validation import Check, check_adapters, check_full_model, check_training_data

app = typer.Typer(add_completion=False)


@app.command()
def validate(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    json: Json = False,
) -> None:
    """Check a run's manifest, its recorded outputs and its folders against what they promise."""
    run = context_of(context).store.open(run_id)
    checks = [*_outputs(run), *_folders(run)]
    if json:
        terminal.emit_json({"run_id": run.run_id, "checks": [check.to_json() for check in checks]})
    else:
        bad = [check for check in checks if not check.passed]
        for check in bad:
            terminal.say(terminal.styled("FAIL", "red"), f" {check.name}: {check.detail}")
        terminal.say(f"{len(checks)} checks, {len(bad)} failed")
    raise typer.Exit(OK if all(check.passed for check in checks) else FAILED)


def _outputs(run: Run) -> list[Check]:
    checks = []
    for step in run.manifest.steps:
        for output in step.outputs:
            path = run.folder.root / output.path
            same = path.is_file() and files.sha256_file(path) == output.sha256
            checks.append(
                Check(f"{step.name} {output.path}", same, "as recorded" if same else "missing or changed")
            )
    return checks


def _folders(run: Run) -> list[Check]:
    checks: list[Check] = []
    for number in (1, 2):
        if run.manifest.step(f"train_{number}").status == "succeeded":
            folder = run.folder.stage(number)
            checks += check_adapters(folder.adapters, {}) + check_training_data(folder.training_data)
    if run.manifest.step("fuse").status == "succeeded":
        checks += check_full_model(run.folder.final_model)
    return checks
