"""When the device is left alone (battery, low-power mode, quiet hours), and the machine kept awake.

What the system says is read by small functions from its own texts: `pmset` on macOS,
/sys/class/power_supply on Linux. What cannot be read is None and holds nobody up.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from daemon.sleep import Clocks
from jobs.fs import files
from jobs.fs.locks import Holder
from jobs.runs.status import PowerReason
from jobs.runs.waiting import WaitingForPower
from launchd.run_program import ServiceError, call

if TYPE_CHECKING:
    from config.settings import Power

log = structlog.get_logger("sectune.power")
LOOK_SECONDS = 15.0
CALL_SECONDS = 5.0
SUPPLIES = Path("/sys/class/power_supply")
PROFILE = Path("/sys/firmware/acpi/platform_profile")


@dataclass(frozen=True)
class PowerReading:
    """What the system says of its power; None where it does not say.

    Args:
        on_battery: No mains.
        low_power: The low-power mode is on.
        speed_limit: Percent of its speed to which heat holds the processor.
    """

    on_battery: bool | None = None
    low_power: bool | None = None
    speed_limit: int | None = None


def from_pmset(battery: str, general: str, thermal: str) -> PowerReading:
    """Read the texts of `pmset -g batt`, `pmset -g` and `pmset -g therm`."""
    source = re.search(r"drawing from '([^']+)'", battery)
    mode = re.search(r"^\s*(?:lowpowermode|powermode)\s+(\d+)", general, re.MULTILINE)
    limit = re.search(r"CPU_Speed_Limit\s*=\s*(\d+)", thermal)
    return PowerReading(
        on_battery=source[1] == "Battery Power" if source else None,
        low_power=mode[1] == "1" if mode else None,  # powermode 2 is high power
        speed_limit=int(limit[1]) if limit else None,
    )


def from_supplies(supplies: Path, profile: Path) -> PowerReading:
    """Read Linux' folder of power supplies and its platform profile.

    A mouse's battery (scope Device) is none of the machine's; mains that are online outweigh a battery
    that discharges (a weak charger).
    """
    found = [_supply(folder) for folder in sorted(supplies.glob("*"))] if supplies.is_dir() else []
    mains = [facts for facts in found if facts["type"] in ("Mains", "USB")]
    batteries = [facts for facts in found if facts["type"] == "Battery" and facts["scope"] != "Device"]
    on_battery: bool | None = None
    if batteries:
        online = any(facts["online"] == "1" for facts in mains)
        on_battery = not online and any(facts["status"] == "Discharging" for facts in batteries)
    elif mains:
        on_battery = False
    text = _text(profile)
    return PowerReading(on_battery, text == "low-power" if text else None)


def _supply(folder: Path) -> dict[str, str]:
    return {name: _text(folder / name) for name in ("type", "scope", "online", "status")}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # a supply without such a fact, or one that was just unplugged
        return ""


def read_power() -> PowerReading:
    """What this machine says now."""
    if sys.platform != "darwin":
        return from_supplies(SUPPLIES, PROFILE)
    try:
        texts = [call(("pmset", "-g", *words), CALL_SECONDS).text for words in (("batt",), (), ("therm",))]
    except ServiceError as error:
        log.warning("the power cannot be read", error=error.message)
        return PowerReading()
    return from_pmset(*texts)


def reason_to_wait(policy: Power, reading: PowerReading, moment: datetime) -> WaitingForPower | None:
    """Why the device is not to be used now; the same facts as long as the reason is the same.

    Args:
        policy: The settings.
        reading: What the machine says.
        moment: The local time.
    """
    if policy.quiet_hours and _within(policy.quiet_hours, moment):
        return WaitingForPower(PowerReason.QUIET_HOURS, policy.quiet_hours[6:])
    if policy.on_battery == "wait" and reading.on_battery:
        return WaitingForPower(PowerReason.BATTERY)
    if policy.in_low_power_mode == "wait" and reading.low_power:
        return WaitingForPower(PowerReason.LOW_POWER_MODE)
    return None


def _within(hours: str, moment: datetime) -> bool:
    begin, end, clock = hours[:5], hours[6:], f"{moment:%H:%M}"
    return begin <= clock < end if begin < end else clock >= begin or clock < end


class PowerMonitor:
    """Keeps looking at the power: answers why to wait, keeps the machine awake, writes down sleep and heat.

    Args:
        policy: The settings.
        device_lock: Held while something trains; its holder is whom to stay awake for.
        platform: Which system this is, as `sys.platform` has it.
    """

    def __init__(self, policy: Power, device_lock: Path, platform: str = sys.platform) -> None:
        self.policy = policy
        self.device_lock = device_lock
        self.platform = platform
        self._reason: WaitingForPower | None = None
        self._reading = PowerReading()
        self._clocks = Clocks()
        self._awake_for: str | None = None
        self._caffeinate: list[subprocess.Popen[bytes]] = []

    def pause_reason(self) -> WaitingForPower | None:
        """Why the device is not to be used now, as of the last look."""
        return self._reason

    def look(self, reading: PowerReading | None = None) -> bool:
        """Look at everything once; True if what held the device up is over.

        Args:
            reading: What the machine says; read anew where it is None.
        """
        before, heat = self._reason, self._reading.speed_limit
        self._reading = read_power() if reading is None else reading
        self._reason = reason_to_wait(self.policy, self._reading, datetime.now())
        trainer = files.lock_holder(self.device_lock)
        if slept := self._clocks.slept():
            log.info("the machine slept", seconds=round(slept), run=_run_of(trainer))
        if self._reading.speed_limit not in (heat, None):
            log.info("heat limits the processor", percent=self._reading.speed_limit, run=_run_of(trainer))
        if self._reason != before:
            reason = str(self._reason) if self._reason else None
            log.info("the device is held" if reason else "the device is free", reason=reason)
        self._stay_awake(trainer)
        return before is not None and self._reason is None

    def _stay_awake(self, trainer: str | None) -> None:
        self._caffeinate = [process for process in self._caffeinate if process.poll() is None]
        if self.platform != "darwin" or not self.policy.keep_awake or trainer == self._awake_for:
            return
        pid = Holder.parse(trainer or "").pid
        if pid is not None:
            try:
                # -w: it ends with the trainer, not with us, since the trainer outlives us
                process = subprocess.Popen(
                    ["caffeinate", "-i", "-s", "-w", str(pid)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                log.warning("the machine cannot be kept awake", error=str(error))
            else:
                self._caffeinate.append(process)
        self._awake_for = trainer


def _run_of(trainer: str | None) -> str | None:
    """The run that the device's holder works for (`pid N RUN STEP`), so that its log tells of it, too."""
    holder = Holder.parse(trainer or "")
    return None if holder.pid is None else next(iter(holder.words), None)
