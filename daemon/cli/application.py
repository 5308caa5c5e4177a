"""The commands' names and options. Each imports what it needs when it is called: `status` must be quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli import world as worlds

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done; change nothing.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its unambiguous end.")]
PRIORITY = "N|high|normal|low"


def _priority(text: str | int) -> int:
    from jobs.pipeline.priority import HIGHEST, NAMED

    named = {word: str(number) for word, number in NAMED.items()}
    try:
        number = int(named.get(str(text).lower(), text))
    except ValueError:
        raise typer.BadParameter(f"'{text}' is neither a number nor one of {', '.join(NAMED)}") from None
    if abs(number) > HIGHEST:
        raise typer.BadParameter(f"{number} is not between -{HIGHEST} and {HIGHEST}")
    return number


app = typer.Typer(
    name="sectune",
    help="Turn security-scan reports into a better local model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
runs_app = typer.Typer(help="The runs.", invoke_without_command=True)
models_app = typer.Typer(help="The certified models.", no_args_is_help=True)
config_app = typer.Typer(help="The settings.", no_args_is_help=True)
providers_app = typer.Typer(help="The places that can train.", invoke_without_command=True)
dataset_app = typer.Typer(help="The training data.", no_args_is_help=True)
app.add_typer(runs_app, name="runs")
app.add_typer(models_app, name="models")
app.add_typer(config_app, name="config")
app.add_typer(providers_app, name="providers")
app.add_typer(dataset_app, name="dataset")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"sectune {metadata.version('sectune')}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[Path | None, typer.Option(help="Use this settings file.", dir_okay=False)] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """What holds for every command."""
    worlds.config_file = config


@app.command()
def run() -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C."""
    from daemon.cli import quick, running

    if worlds.config_file is None:
        quick.re_exec(worlds.world)
    raise typer.Exit(running.run(lambda: worlds.world().loaded.settings))


@app.command()
def install(dry_run: DryRun = False) -> None:
    """Keep the daemon running from login to logout (LaunchAgent, or systemd user unit)."""
    from daemon.cli import agent

    agent.install(worlds.world(), dry_run)


@app.command()
def uninstall() -> None:
    """Stop the daemon and any training, and take the agent away. Runs and models stay."""
    from daemon.cli import agent

    agent.uninstall(worlds.world())


@app.command()
def start() -> None:
    """Start the installed daemon."""
    from daemon.cli import agent

    agent.start(worlds.world())


@app.command()
def stop() -> None:
    """Stop the installed daemon until `start` or the next login; a training goes on."""
    from daemon.cli import agent

    agent.stop(worlds.world())


@app.command()
def restart() -> None:
    """Stop and start the installed daemon, for example after an upgrade; a training goes on."""
    from daemon.cli import agent

    agent.restart(worlds.world())


@app.command()
def submit(
    paths: Annotated[list[Path], typer.Argument(help="Reports, folders or archives.")],
    force: Annotated[bool, typer.Option(help="Train even if this was seen before.")] = False,
    fresh_stage1: Annotated[
        bool, typer.Option("--fresh-stage1", help="Train stage 1 anew, even if an earlier run's would do.")
    ] = False,
    priority: Annotated[
        int, typer.Option(parser=_priority, metavar=PRIORITY, help="Which run goes first; 0 is normal.")
    ] = 0,
    json: Json = False,
) -> None:
    """Make one delivery of these files, at once and without the inbox."""
    from daemon.cli import deliveries

    wish = deliveries.Wish(force, fresh_stage1, priority)
    raise typer.Exit(deliveries.submit(worlds.world(), paths, wish, json))


@app.command()
def inbox(
    every: Annotated[bool, typer.Option("--all", help="All files ever seen, not the last 50.")] = False,
    json: Json = False,
) -> None:
    """Every file that was seen, its state and the reason."""
    from daemon.cli import deliveries

    deliveries.inbox(worlds.world(), 1_000_000 if every else 50, json)


@app.command()
def status(json: Json = False) -> None:
    """What the daemon is doing: queue, step, progress, time left."""
    from daemon.cli import present

    raise typer.Exit(present.status(worlds.world().view, json))


@app.command()
def queue(json: Json = False) -> None:
    """The unfinished runs in the order they are driven."""
    from daemon.cli import overview

    overview.queue(worlds.world(), json)


@runs_app.callback()
def runs(context: typer.Context, json: Json = False) -> None:
    """List the runs (the same as `runs list`)."""
    if context.invoked_subcommand is None:
        runs_list(json)


@runs_app.command("list")
def runs_list(json: Json = False) -> None:
    """Every run, oldest first."""
    from daemon.cli import histories

    histories.list_runs(worlds.world(), json)


@runs_app.command("show")
def runs_show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its unambiguous end.")],
    json: Json = False,
) -> None:
    """All about one run."""
    from daemon.cli import histories

    histories.show_run(worlds.world(), run_id, json)


@runs_app.command("retry")
def runs_retry(
    run_id: RunId,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="STEP", help="Do this step and all after it anew."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Take an ended run up again, from the step that failed and with what it left."""
    from daemon.cli import steering

    raise typer.Exit(steering.retry(worlds.world(), run_id, first, dry_run))


@runs_app.command("pause")
def runs_pause(run_id: RunId) -> None:
    """Stop a run at its next checkpoint until `runs resume`."""
    from daemon.cli import steering

    raise typer.Exit(steering.ask(worlds.world(), run_id, "pause"))


@runs_app.command("cancel")
def runs_cancel(run_id: RunId) -> None:
    """End a run at its next checkpoint; its folder stays, and `runs retry` takes it up again."""
    from daemon.cli import steering

    raise typer.Exit(steering.ask(worlds.world(), run_id, "cancel"))


# A negative priority looks like an option to the parser.
@runs_app.command("prioritise", context_settings={"ignore_unknown_options": True})
def runs_prioritise(
    run_id: RunId,
    priority: Annotated[
        int, typer.Argument(parser=_priority, metavar=PRIORITY, help="Higher goes first; 0 is normal.")
    ],
) -> None:
    """Have a run go before others, or behind them, from its next step on; what runs is not interrupted."""
    from daemon.cli import steering

    raise typer.Exit(steering.prioritise(worlds.world(), run_id, priority))


@runs_app.command("resume")
def runs_resume(run_id: RunId) -> None:
    """Have a paused run go on."""
    from daemon.cli import steering

    raise typer.Exit(steering.resume(worlds.world(), run_id))


@app.command()
def wait(
    run_id: RunId,
    timeout: Annotated[float | None, typer.Option(help="Give up after this many seconds.", min=0)] = None,
) -> None:
    """Wait for a run's end: exit code 0 completed, 1 failed or cancelled, 5 it needs you, 75 time is up."""
    from daemon.cli import steering

    raise typer.Exit(steering.wait(worlds.world(), run_id, timeout))


@runs_app.command("validate")
def runs_validate(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    json: Json = False,
) -> None:
    """Check a run's manifest, its recorded outputs and its folders against what they promise."""
    from daemon.cli import histories

    raise typer.Exit(histories.validate_run(worlds.world(), run_id, json))


@app.command()
def logs(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run; without one, the daemon.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="Begin with this many lines.")] = 50,
    json: Json = False,
) -> None:
    """The daemon's log, or one run's."""
    from daemon.cli import tailing

    raise typer.Exit(tailing.logs(worlds.world(), run_id, tailing.View(follow, lines, json)))


@app.command()
def report(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its unambiguous end.")],
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write a run's report: one HTML page that needs nothing else."""
    from daemon.cli import reports

    reports.report(worlds.world(), run_id, show)


@app.command()
def evaluate(
    target: Annotated[
        str,
        typer.Argument(metavar="RUN|MODEL", help="A run, a certified model, CURRENT or a model's folder."),
    ],
    data: Annotated[Path, typer.Option(help="JSONL rows with messages.", exists=True, dir_okay=False)],
    max_cases: Annotated[
        int | None, typer.Option(help="Draw so many cases; the interval says what that costs.", min=1)
    ] = None,
    json: Json = False,
) -> None:
    """Measure models on a file of examples; interrupted, the same call goes on where it stopped."""
    from daemon.cli import evaluations

    raise typer.Exit(evaluations.evaluate(worlds.world(), target, data, max_cases, json))


@models_app.command("list")
def models_list(json: Json = False) -> None:
    """The certified models; the one in use is marked."""
    from daemon.cli import histories

    histories.list_models(worlds.world(), json)


@models_app.command("pull")
def models_pull() -> None:
    """Fetch the base model of the settings and convert it; complete or absent, never half."""
    from daemon.cli import models

    raise typer.Exit(models.pull(worlds.world()))


@models_app.command("verify")
def models_verify(
    name: Annotated[str, typer.Argument(help="A model's name, its unambiguous beginning, or CURRENT.")],
    json: Json = False,
) -> None:
    """Compute a certified model's name and hashes again from its files."""
    from daemon.cli import histories

    raise typer.Exit(histories.verify_model(worlds.world(), name, json))


@config_app.command("show")
def config_show(json: Json = False) -> None:
    """Every setting, its value and where it came from."""
    from daemon.cli import settings

    settings.show(worlds.world(), json)


@config_app.command("check")
def config_check(
    provider: Annotated[
        str | None, typer.Option(help="Also ask this provider (`sectune providers`) what it says of them.")
    ] = None,
    json: Json = False,
) -> None:
    """Check the settings and say all that is wrong at once; exit code 2 if something is."""
    if provider is not None:
        from daemon.cli import providers

        raise typer.Exit(providers.check(worlds.world(), provider, json))
    from daemon.cli import settings

    settings.check(worlds.world())


@providers_app.callback()
def providers_list(context: typer.Context, json: Json = False) -> None:
    """The places that can train."""
    if context.invoked_subcommand is None:
        from daemon.cli import providers

        providers.list_providers(json)


@providers_app.command("show")
def providers_show(
    name: Annotated[str, typer.Argument(help="A provider's name, for example mlx.")], json: Json = False
) -> None:
    """What a provider can do: methods, ranges, parameters of its own."""
    from daemon.cli import providers

    providers.show(name, json)


@app.command()
def doctor(json: Json = False) -> None:
    """Check this machine: what was seen, why it matters, how to mend it."""
    from daemon.cli import overview

    raise typer.Exit(overview.doctor(worlds.world(), json))


@app.command()
def parse(
    paths: Annotated[list[Path], typer.Argument(help="Reports, folders or archives.", exists=True)],
    source: Annotated[
        Path | None, typer.Option(help="A checkout of the scanned code.", exists=True, file_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Read reports without training: a verdict for every file, and the findings."""
    from daemon.cli import deliveries

    deliveries.parse(worlds.world(), paths, source, json)


@app.command()
def findings(  # noqa: PLR0913 - typer makes an option of each argument
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its unambiguous end.")],
    tool: Annotated[list[str] | None, typer.Option(help="Only of this tool; repeatable.")] = None,
    severity: Annotated[list[str] | None, typer.Option(help="Only of this severity.")] = None,
    cwe: Annotated[list[str] | None, typer.Option(help="Only with this CWE.")] = None,
    package: Annotated[list[str] | None, typer.Option(help="Only of this package; * fits all.")] = None,
    fix: Annotated[list[str] | None, typer.Option(help="Only with a fix of this provenance.")] = None,
    json: Json = False,
) -> None:
    """What a run's reports told."""
    from daemon.cli import findings

    filters = {"tool": tool, "severity": severity, "cwe": cwe, "package": package, "fix": fix}
    findings.findings(worlds.world(), run_id, findings.wanted(filters), json)


@dataset_app.command("build")
def dataset_build(  # noqa: PLR0913 - typer makes an option of each argument
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
    from daemon.cli import datasets

    wanted = datasets.Build(
        stage,
        out,
        tokenizer,
        datasets.places({"crossvul": crossvul, "cvefixes": cvefixes}, public or []),
        [*(reports or []), *(more_reports or [])],
        stage1,
        source,
    )
    datasets.build(worlds.world(), wanted, json)


Target = Annotated[str, typer.Argument(metavar="RUN|FOLDER", help="A run, or a folder of training data.")]
StageOption = Annotated[int | None, typer.Option(min=1, max=2, help="Which stage of a run.")]


@dataset_app.command("show")
def dataset_show(  # noqa: PLR0913 - typer makes an option of each argument
    target: Target,
    stage: StageOption = None,
    part: Annotated[str | None, typer.Option(help="train, valid or test.")] = None,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    cwe: Annotated[str | None, typer.Option(help="Only with this CWE.")] = None,
    number: Annotated[int | None, typer.Option(help="Only this line of its part, from 1.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", help="At most this many.")] = 3,
    json: Json = False,
) -> None:
    """Examples as a person reads them."""
    from daemon.cli import datasets

    view = datasets.View(part, source, cwe, number, count)
    datasets.show(worlds.world(), target, stage, view, json)


@dataset_app.command("stats")
def dataset_stats(target: Target, stage: StageOption = None, json: Json = False) -> None:
    """What a data set holds, what was left out and why."""
    from daemon.cli import datasets

    datasets.stats(worlds.world(), target, stage, json)


@app.command("agent")
def agent_list(
    label: Annotated[str, typer.Option(help="The agent's label.")] = "io.sectune.agent",
) -> None:
    """Print the LaunchAgent's property list for this installation (macOS)."""
    from daemon.cli import agent

    agent.print_list(worlds.world(), label)


@app.command()
def demo(
    home: Annotated[Path | None, typer.Option(help="Keep everything in this folder.")] = None,
) -> None:
    """Show all of it on a tiny model: a real daemon, a real training, a few minutes."""
    from daemon.demo.show import run_demo

    raise typer.Exit(run_demo(home))
