"""When to kill whom: a plan that depends on nothing but the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from jobs.pipeline.step_table import STEP_NAMES

Victim = Literal["daemon", "child", "both"]
INTAKE = "intake"  # delivered, but no run yet
ORDER = (INTAKE, *STEP_NAMES)
# A training is what there is to lose; parse, certify and upload take milliseconds here.
WEIGHTS = {INTAKE: 1.0, "train_1": 4.0, "train_2": 4.0, "parse": 0.5, "certify": 0.7, "upload": 0.2}
VICTIMS: dict[Victim, int] = {"daemon": 4, "child": 3, "both": 3}
AT_WRITE = 0.5  # this share waits for a file that is being written


@dataclass(frozen=True)
class Aim:
    """One kill.

    Args:
        run: Which run, from 0.
        step: In which of its steps, or `intake`.
        fraction: How far into it, from 0 to 1: of its iterations, or of its usual seconds.
        victim: Who is killed; a step without a child gives its daemon.
        at_write: Wait for a file that is being written.
    """

    run: int
    step: str
    fraction: float
    victim: Victim
    at_write: bool


def plan(runs: int, kills: int, seed: int) -> list[Aim]:
    """The kills, spread evenly over the runs, in the order of the chain."""
    random_ = random.Random(seed)
    aims = [_aim(random_, number * runs // kills, runs) for number in range(kills)]
    return sorted(aims, key=lambda aim: (aim.run, ORDER.index(aim.step), aim.fraction))


def _aim(random_: random.Random, run: int, runs: int) -> Aim:
    # The very end of the last run is over so quickly that a kill could find nobody.
    steps = [step for step in ORDER if run < runs - 1 or step not in ("certify", "upload")]
    (step,) = random_.choices(steps, [WEIGHTS.get(step, 1.0) for step in steps])
    (victim,) = random_.choices(list(VICTIMS), list(VICTIMS.values()))
    return Aim(run, step, random_.random(), victim, random_.random() < AT_WRITE)
