"""The killer: waits for the moments that the plan names, kills, and has a daemon started again at once."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from household import Child, Glimpse, Household
from plan import INTAKE, ORDER, Aim, Victim
from writes import Write, unfinished

from jobs.children import life, protocol
from jobs.clock import now
from jobs.fs import files

WRITE_SECONDS = 3.0
CHILD_SECONDS = 2.0
# By design the third failure in a row without progress asks for a person, and a child that is killed under a
# living daemon is a failure: after two of them in a step the killer takes the daemon as well.
MOST_FAILURES = 2
EARLY = 0.2  # this share of a training is its loading, where no iteration counts yet
WITH_CHILD = frozenset(ORDER) - {INTAKE, "parse", "certify", "upload"}


@dataclass(frozen=True)
class Shot:
    """One kill as it was.

    Args:
        clock: When, in UTC.
        pids: Who was killed ("daemon", "child"), and its process id.
        delivery: Whose run it was aimed at.
        step: The step that this run was in.
        run_id: None while there is no run yet.
        iteration: How far its trainer had reported.
        write: The temporary name that was seen just before.
        left: Whether that file was still unfinished after the kill: it hit the middle of a write.
    """

    clock: str
    pids: Mapping[str, int]
    delivery: str
    step: str
    run_id: str | None = None
    iteration: int | None = None
    write: str | None = None
    left: bool = False

    @property
    def victim(self) -> str:
        """Who was killed, in one word."""
        return "both" if len(self.pids) == 2 else next(iter(self.pids))

    def in_words(self) -> str:
        """One line for a person."""
        where = f"{self.step} of {self.delivery}"
        position = "" if self.iteration is None else f", iteration {self.iteration}"
        half = f"  in the middle of {self.write}" if self.left else ""
        return f"{self.clock[11:23]}  {self.victim:6}  {where}{position}{half}"


class Killer:
    """Acts on a plan.

    Args:
        household: Where the victims live.
        aims: The plan.
        deliveries: The delivered files' names, by number of the run.
        usual: Seconds that each step takes when nobody disturbs it.
        tell: Told about each shot.
    """

    def __init__(
        self,
        household: Household,
        aims: Sequence[Aim],
        deliveries: Sequence[str],
        usual: Mapping[str, float],
        tell: Callable[[Shot], None],
    ) -> None:
        self.household = household
        self.pending = list(aims)
        self.deliveries = deliveries
        self.usual = usual
        self.tell = tell
        self.shots: list[Shot] = []
        self._began: dict[tuple[str, str], float] = {}
        self._alone: Counter[tuple[str, str]] = Counter()

    def delivered(self, name: str) -> None:
        """A delivery was handed in just now."""
        self._began[name, INTAKE] = time.monotonic()

    def act(self, glimpses: Sequence[Glimpse]) -> None:
        """Make at most one kill, if the plan has one for this moment."""
        runs = {glimpse.delivery: glimpse for glimpse in glimpses}
        for glimpse in glimpses:
            if glimpse.running and glimpse.step:
                self._began.setdefault((glimpse.delivery, glimpse.step), time.monotonic())
        for number, aim in enumerate(self.pending):
            name = self.deliveries[aim.run]
            if (name, INTAKE) in self._began and self._due(aim, name, runs.get(name)):
                self._fire(number, aim, name, runs)
                return

    def _due(self, aim: Aim, name: str, run: Glimpse | None) -> bool:
        step = run.step if run else INTAKE
        if step is None or (run and run.ended):
            return True
        if step != aim.step:
            return ORDER.index(step) > ORDER.index(aim.step)
        if run and step.startswith("train") and aim.fraction > EARLY:
            return run.iterations > 0 and run.iteration >= aim.fraction * run.iterations
        began = self._began.get((name, step))
        return began is not None and time.monotonic() - began >= aim.fraction * self.usual[step]

    def _fire(self, number: int, aim: Aim, name: str, runs: Mapping[str, Glimpse]) -> None:
        run = runs.get(name)
        if run is not None and run.ended:  # missed: whoever is at work now will do
            run = next((other for other in runs.values() if not other.ended), None)
            if run is None:
                return
        victim, found = self._choose(aim, run)
        write = self._next_write(victim, run, found) if aim.at_write else None
        pids = self._kill(victim, write, found)
        if not pids:  # the child ended by itself just now
            self.pending[number] = replace(aim, victim="daemon")
            return
        del self.pending[number]
        shot = self._record(pids, name, run, found if "child" in pids else None, write)
        if "daemon" in pids:
            self.household.start()
        elif found is not None:
            self._alone[found.run_id, found.step] += 1
        self.shots.append(shot)
        self.tell(shot)

    def _choose(self, aim: Aim, run: Glimpse | None) -> tuple[Victim, Child | None]:
        if aim.victim == "daemon" or run is None or run.step not in WITH_CHILD:
            return "daemon", None
        deadline = time.monotonic() + CHILD_SECONDS
        while not (living := self.household.children()) and time.monotonic() < deadline:
            time.sleep(0.02)
        found = next((each for each in living if each.run_id == run.run_id), next(iter(living), None))
        if found is None:
            return "daemon", None
        alone = self._alone[found.run_id, found.step] < MOST_FAILURES
        return aim.victim if alone else "both", found

    def _next_write(self, victim: Victim, run: Glimpse | None, found: Child | None) -> Write | None:
        house = self.household
        flat = [
            house.runs_folder,
            house.scene.models_dir / "certified",
            house.scene.models_dir / "cache/datasets",
        ]
        busy = found.run_id if found else run.run_id if run else None
        deep = [house.runs_folder / busy] if busy else []
        before = set(unfinished(deep, flat))
        deadline = time.monotonic() + WRITE_SECONDS
        while time.monotonic() < deadline:
            for write in unfinished(deep, flat):
                if write not in before and victim in ("both", write.writer):
                    return write
            time.sleep(0.0002)
        return None

    def _kill(self, victim: Victim, write: Write | None, found: Child | None) -> dict[str, int]:
        # Who writes goes first, or the write would be over by the time its turn comes.
        order = ("child", "daemon") if write and write.writer == "child" else ("daemon", "child")
        pids: dict[str, int] = {}
        for who in order:
            if who == "daemon" and victim != "child":
                pids[who] = self.household.kill_daemon()
            if who == "child" and victim != "daemon" and (pid := self._kill_child(found)):
                pids[who] = pid
        return pids

    def _kill_child(self, found: Child | None) -> int | None:
        if found is None:
            return None
        work = self.household.runs_folder / found.run_id / "work" / found.step
        pid = life.living(work) or found.pid  # it may be another one by now, or have no lock yet
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return pid

    def _record(
        self,
        pids: Mapping[str, int],
        name: str,
        run: Glimpse | None,
        found: Child | None,
        write: Write | None,
    ) -> Shot:
        left = write is not None and write.path.exists()
        clock = now()
        shot = Shot(clock, pids, name, INTAKE, write=write.path.name if write else None, left=left)
        run_id = found.run_id if found else run.run_id if run else None
        if run_id is None:
            return shot
        seen = next(each for each in self.household.glimpses() if each.run_id == run_id)
        step = found.step if found else seen.step or "its end"
        progress = self.household.runs_folder / run_id / "work" / step / protocol.PROGRESS
        reached = _reached(progress) if step.startswith("train") else None
        return replace(shot, delivery=seen.delivery, step=step, run_id=run_id, iteration=reached)


def _reached(progress: Path) -> int | None:
    rows = list(files.read_jsonl(progress)) if progress.exists() else []
    return max((row["iteration"] for row in rows if row.get("train_loss") is not None), default=0)
