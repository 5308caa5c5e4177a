"""Commands about the present: queue, doctor."""

from __future__ import annotations

from daemon import terminal
from daemon.cli.world import World
from daemon.exit_codes import FAILED, OK
from jobs.runs.status import UNFINISHED
from jobs.runs.summaries import summary_of


def queue(world: World, json: bool) -> None:
    """Unfinished runs, and whether the doorbell has rung for them."""
    from jobs.pipeline.priority import in_order

    rung = world.queue.pending() if world.has_queue else []
    runs = in_order(run for run in world.store.list()[0] if run.manifest.status in UNFINISHED)
    if json:
        terminal.emit_json({"runs": [summary_of(run.manifest) for run in runs], "messages": rung})
        return
    if not runs:
        terminal.note("The queue is empty.")
        return
    rows = []
    for run in runs:
        summary = summary_of(run.manifest)
        reports = sum(item.verdict != "refused" for item in run.manifest.inputs)
        rows.append(
            (
                run.run_id,
                summary["priority"],
                summary["status"],
                summary["step"],
                reports,
                "yes" if run.run_id in rung else "",
                summary["status_reason"] or "",
            )
        )
    terminal.table(("run", "priority", "status", "step", "reports", "rung", "reason"), rows)


def doctor(world: World, json: bool) -> int:
    """Every check; exit code 1 if one failed."""
    from daemon.doctor.examine import examine

    checks = examine(world.loaded, world.state)
    if json:
        terminal.emit_json({"checks": [check.to_json() for check in checks]})
    else:
        for check in checks:
            mark = terminal.styled("ok  ", "green") if check.passed else terminal.styled("FAIL", "red")
            terminal.say(mark, f" {check.id:14} {check.seen}")
            if not check.passed:
                terminal.say(f"     why it matters: {check.why}\n     fix: {check.fix}")
    return OK if all(check.passed for check in checks) else FAILED
