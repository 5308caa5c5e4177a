"""Chaos: `python tests/chaos [--runs N] [--kills N] [--seed N] [--deliveries N] [--json] [--keep FOLDER]`.

Whole two-stage runs of a tiny model, by a real daemon on a throw-away home, while daemon, children or both
are killed with SIGKILL: at random moments, and as soon as a file is being written. The daemon is started
again at once, as launchd would. Every distinct delivery is run once without any disturbance; then the
disturbed runs are held to what sectune promises. Exit code 1, and the evidence is kept, if one is broken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from deliveries import write_deliveries
from household import Glimpse, Household
from judging import Case, Verdict, judge
from killing import Killer, Shot
from plan import INTAKE, Aim, plan

from daemon.demo.scene import MODEL, Scene
from jobs.runs.manifest import seconds_between

AT_ONCE = 2  # runs in flight: one trains, the other waits for the device
STALL_SECONDS = 120.0
LOOK_SECONDS = 0.003


class Stalled(Exception):
    """Nothing has changed for a long time."""


def main() -> int:
    """Do it all; returns the exit code."""
    asked = _arguments()
    home = asked.keep or Path(tempfile.mkdtemp(prefix="sectune-chaos-"))
    began = time.monotonic()
    base = _base_model(home / "base")
    contents = write_deliveries(home / "deliveries", min(asked.deliveries, asked.runs))
    quiet, disturbed = (Household(home / name, base) for name in ("quiet", "disturbed"))
    _say(f"{len(contents)} undisturbed runs, then {asked.runs} with {asked.kills} kills; seed {asked.seed}")
    calm = {f"delivery-{number + 1:03d}.zip": content for number, content in enumerate(contents)}
    _run(quiet, calm, [], {})
    if unfit := [str(m["status_reason"]) for _, m in quiet.manifests() if m["status"] != "completed"]:
        raise SystemExit(f"an undisturbed run did not complete: {unfit[0]} (evidence: {home})")
    _say(f"undisturbed runs done after {time.monotonic() - began:.0f} s")
    names = {
        f"delivery-{number + 1:03d}.zip": contents[number % len(contents)] for number in range(asked.runs)
    }
    shots = _run(disturbed, names, plan(asked.runs, asked.kills, asked.seed), _usual(quiet))
    first = {content: name for name, content in reversed(calm.items())}
    twins = {name: first[content] for name, content in names.items()}
    verdicts = judge(Case(disturbed, quiet, twins, shots, asked.kills))
    good = not any(verdict.problems for verdict in verdicts)
    _tell(verdicts, shots, asked.json, time.monotonic() - began)
    if good and not asked.keep:
        shutil.rmtree(home)
    else:
        _say(f"evidence: {home}")
    return 0 if good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--deliveries", type=int, default=10, help="distinct ones; after them they come again"
    )
    parser.add_argument("--json", action="store_true", help="the figures on standard output")
    parser.add_argument("--keep", type=Path, help="an empty folder that is kept")
    asked = parser.parse_args()
    if asked.runs < 1 or asked.kills < 0 or asked.deliveries < 1:
        parser.error("at least one run and one delivery")
    return asked


def _base_model(home: Path) -> Path:
    scene = Scene(home)
    scene.write_settings()
    scene.build_base_model(lambda facts: None, steps=0)
    return scene.models_dir / "base" / MODEL


def _run(
    household: Household, deliveries: Mapping[str, Path], aims: Sequence[Aim], usual: Mapping[str, float]
) -> list[Shot]:
    """Deliver one after the other, kill as planned, until every run has ended."""
    total = len(aims)
    killer = Killer(household, aims, list(deliveries), usual, lambda shot: _say(
        f"kill {len(killer.shots):3}/{total}  {shot.in_words()}"))  # fmt: skip
    household.start()
    waiting, seen = list(deliveries.items()), set()
    patience = _Patience()
    try:
        while True:
            glimpses = household.glimpses()
            patience.look(glimpses, len(killer.shots))
            known = {glimpse.delivery for glimpse in glimpses}
            unfinished = sum(not glimpse.ended for glimpse in glimpses)
            if waiting and len(known) + len(waiting) == len(deliveries) and unfinished < AT_ONCE:
                name, content = waiting.pop(0)
                (household.submit if content in seen else household.drop)(content, name)
                seen.add(content)
                killer.delivered(name)
            if not unfinished and not waiting and len(known) == len(deliveries):
                break
            killer.act(glimpses)
            time.sleep(LOOK_SECONDS)
    except Stalled as stalled:
        _say(str(stalled))
    code = household.stop()
    if code != 0:
        _say(f"the daemon ended with {code} when it was asked to stop")
    return killer.shots


class _Patience:
    """Gives up where nothing happens any more: what is unfinished then is judged as lost."""

    def __init__(self) -> None:
        self._before: object = None
        self._since = time.monotonic()

    def look(self, glimpses: Sequence[Glimpse], shots: int) -> None:
        now = (sorted(glimpses, key=lambda glimpse: glimpse.run_id), shots)
        if now != self._before:
            self._before, self._since = now, time.monotonic()
        elif time.monotonic() - self._since > STALL_SECONDS:
            raise Stalled(f"nothing has happened for {STALL_SECONDS:g} s: {now[0]}")


def _usual(quiet: Household) -> dict[str, float]:
    """Seconds that each step takes, by the undisturbed runs."""
    taken: dict[str, list[float]] = {}
    for _, manifest in quiet.manifests():
        for step in manifest["steps"]:
            if step["started_at"] and step["ended_at"]:
                spent = seconds_between(step["started_at"], step["ended_at"])
                taken.setdefault(step["name"], []).append(spent)
            else:
                taken.setdefault(step["name"], []).append(0.0)
    return {INTAKE: 1.0, **{name: statistics.median(values) for name, values in taken.items()}}


def _tell(verdicts: Sequence[Verdict], shots: Sequence[Shot], as_json: bool, seconds: float) -> None:
    width = max(len(verdict.promise) for verdict in verdicts)
    _say("")
    for verdict in verdicts:
        _say(f"{'FAIL' if verdict.problems else 'ok  '}  {verdict.promise:{width}}  {verdict.figure}")
        for problem in verdict.problems:
            _say(f"        {problem}")
    _say(f"{seconds:.0f} s")
    if as_json:
        facts = {
            "seconds": seconds,
            "verdicts": [
                {"promise": each.promise, "figure": each.figure, "problems": list(each.problems)}
                for each in verdicts
            ],
            "shots": [{**shot.__dict__, "pids": dict(shot.pids)} for shot in shots],
        }
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - data goes to stdout, the rest here


if __name__ == "__main__":
    sys.exit(main())
