"""Commands about the present: status, queue, doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.agent import state_in_words
from daemon.cli import screen
from daemon.cli.world import FAILED, NOT_RUNNING, OK, World
from jobs.runs.manifest import UNFINISHED, Progress

if TYPE_CHECKING:
    from jobs.runs.store import Run


PRESENT = ("settling", "accepted", "failed")  # states of the inbox in which something is still to come


def status(world: World, json: bool) -> int:
    """What is going on; exit code 3 if no daemon runs."""
    holder = world.daemon()
    ledger = world.seen
    seen = ledger.counts() if ledger else {}
    runs, unreadable = world.store.list()
    unfinished = [run for run in runs if run.manifest.status in UNFINISHED]
    attention = [run for run in runs if run.manifest.status == "needs_attention"]
    agent = state_in_words(world.loaded, world.state)
    if json:
        screen.emit_json(
            {
                "daemon": holder,
                "agent": agent,
                "inbox": {"path": str(world.loaded.settings.paths.inbox), "files": seen},
                "queue": [_summary(run) for run in unfinished],
                "needs_attention": [_summary(run) for run in attention],
                "unreadable": [str(item.folder) for item in unreadable],
                "completed": sum(run.manifest.status == "completed" for run in runs),
            }
        )
        return OK if holder else NOT_RUNNING
    screen.say(f"daemon   {'running: ' + holder if holder else 'not running (start it with: sectune run)'}")
    if agent:
        screen.say(f"agent    {agent}")
    present = ", ".join(f"{seen[state]} {state}" for state in PRESENT if seen.get(state))
    screen.say(f"inbox    {world.loaded.settings.paths.inbox}" + (f"  ({present})" if present else ""))
    finished = sum(run.manifest.status == "completed" for run in runs)
    screen.say(
        f"runs     {len(unfinished)} unfinished, {finished} completed, {len(attention)} need attention"
    )
    for run in (*unfinished, *attention):
        _print_run(run)
    for item in unreadable:
        screen.note(f"unreadable run: {item.reason}")
    return OK if holder else NOT_RUNNING


def _summary(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    step = manifest.next_step()
    return {
        "run_id": run.run_id,
        "status": manifest.status,
        "status_reason": manifest.status_reason,
        "step": step.name if step else None,
        "progress": _progress(run).model_dump(),
        "steps_done": sum(step.status in ("succeeded", "skipped") for step in manifest.steps),
        "steps": len(manifest.steps),
    }


def _progress(run: Run) -> Progress:
    # The next step may not have begun yet; the last one's figures would be shown under its name.
    step = run.manifest.next_step()
    progress = run.manifest.progress
    return progress if step is not None and progress.step == step.name else Progress()


def _print_run(run: Run) -> None:
    summary = _summary(run)
    progress = _progress(run)
    screen.say(f"\n{run.run_id}  {summary['status']}  step {summary['steps_done'] + 1} of {summary['steps']}")
    if summary["status_reason"]:
        screen.say(f"  {summary['status_reason']}")
    parts = [
        summary["step"] or "",
        progress.phase or "",
        screen.bar(progress.iteration, progress.iterations),
        f"{progress.iteration}/{progress.iterations}" if progress.iterations and progress.iteration else "",
        f"loss {progress.train_loss:.3f}" if progress.train_loss is not None else "",
        f"{progress.tokens_per_second:.0f} tokens/s" if progress.tokens_per_second is not None else "",
        f"{progress.peak_memory_gb:.2f} GB" if progress.peak_memory_gb is not None else "",
        f"{screen.duration(progress.eta_seconds)} left" if progress.eta_seconds is not None else "",
    ]
    screen.say("  " + "  ".join(part for part in parts if part))
    if run.manifest.status == "needs_attention":
        screen.say(f"  once that is mended: sectune runs retry {run.run_id}")


def queue(world: World, json: bool) -> None:
    """Unfinished runs, and whether the doorbell has rung for them."""
    rung = world.queue.pending() if world.queue_file.exists() else []
    runs = [run for run in world.store.list()[0] if run.manifest.status in UNFINISHED]
    if json:
        screen.emit_json({"runs": [_summary(run) for run in runs], "messages": rung})
        return
    if not runs:
        screen.note("The queue is empty.")
        return
    rows = []
    for run in runs:
        summary = _summary(run)
        reports = sum(item.verdict != "refused" for item in run.manifest.inputs)
        rows.append(
            (
                run.run_id,
                summary["status"],
                summary["step"],
                reports,
                "yes" if run.run_id in rung else "",
                summary["status_reason"] or "",
            )
        )
    screen.table(("run", "status", "step", "reports", "rung", "reason"), rows)


def doctor(world: World, json: bool) -> int:
    """Every check; exit code 1 if one failed."""
    from daemon.doctor import examine

    checks = examine(world.loaded, world.state)
    if json:
        screen.emit_json({"checks": [check.to_json() for check in checks]})
    else:
        for check in checks:
            mark = screen.styled("ok  ", "green") if check.passed else screen.styled("FAIL", "red")
            screen.say(mark, f" {check.id:14} {check.seen}")
            if not check.passed:
                screen.say(f"     why it matters: {check.why}\n     fix: {check.fix}")
    return OK if all(check.passed for check in checks) else FAILED
