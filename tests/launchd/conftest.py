"""A scripted service manager on PATH: it does what a real one would, unless a test says otherwise."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from launchd.service import Daemon, ServiceManager, Timeouts

SCRIPT = """\
#!{python} -ISE
import json, sys, time
world = json.load(open({file!r}))
name, words = sys.argv[0].rsplit("/", 1)[1], sys.argv[1:]
verb = next((word for word in words if not word.startswith("-")), "")
world["calls"].append(" ".join([name, *words]))
said = ""
planned = world["answers"].get(verb, [])
code = planned.pop(0) if planned else None
hang = verb in world["hang"]


def begin():
    world["loaded"] = True
    if world["starts"]:
        world["pid"] = 4242


def show(name):
    if name == "launchctl":
        return "\\tpid = %d\\n" % world["pid"] if world["pid"] else "\\tlast exit code = 78: EX_CONFIG\\n"
    idle = "failed" if world["failed"] else "activating" if world["loaded"] else "inactive"
    state = "active" if world["pid"] else idle
    result = "exit-code" if world["failed"] else "success"
    return "ActiveState=%s\\nMainPID=%d\\nUnitFileState=enabled\\nResult=%s\\nExecMainStatus=2\\n" % (
        state, world["pid"] or 0, result)


if code is None:
    code = 0
    if verb in ("print", "show"):
        if world["draining"]:
            world["draining"] -= 1
            if not world["draining"]:
                world["loaded"], world["pid"] = False, None
        code = 0 if world["loaded"] or verb == "show" else 113
        said = show(name) if code == 0 else "Could not find service"
    elif verb == "print-disabled":
        said = '\\t"io.sectune.agent" => %s\\n' % ("disabled" if world["disabled"] else "enabled")
    elif verb == "enable":
        world["disabled"] = False
    elif verb in ("bootout", "stop"):
        code = 0 if world["loaded"] else 113
        world["draining"] = world["drain"] if world["loaded"] else 0
        if not world["draining"]:
            world["loaded"], world["pid"] = False, None
    elif verb == "bootstrap":
        code = 119 if world["disabled"] else 5 if world["loaded"] else 0
        if code == 0:
            begin()
    elif verb == "start":
        begin()
    elif verb == "kickstart":
        code = 0 if world["loaded"] else 113
        world["pid"] = 4242 if code == 0 and world["kicks"] else world["pid"]
    elif verb == "show-user":
        said = "Linger=" + world["linger"]
json.dump(world, open({file!r}, "w"))
if hang:
    time.sleep(60)
print(said or world["said"].get(verb, ""))
sys.exit(code)
"""


@dataclass
class Machine:
    """The scripted machine, and what it was asked."""

    file: Path
    home: Path
    said: list[str] = field(default_factory=list)
    trainers: list[str] = field(default_factory=list)
    stranger: str | None = None
    version: str = "0.1.0"

    def set(self, **facts: Any) -> None:
        self.file.write_text(json.dumps({**json.loads(self.file.read_text()), **facts}))

    def get(self, name: str) -> Any:
        return json.loads(self.file.read_text())[name]

    @property
    def calls(self) -> list[str]:
        return [" ".join(call.split()[:2]) for call in self.get("calls")]

    def health(self) -> str | None:
        pid = self.get("pid")
        return self.stranger or (f"pid {pid} sectune {self.version}" if pid else None)

    def manager(self) -> ServiceManager:
        daemon = Daemon(
            program=Path("/opt/sectune/bin/sectune"),
            environment={"SECTUNE_CONFIG": "/data/my settings.yaml"},
            logs=self.home / "state" / "logs",
            backups=self.home / "state" / "backups",
            version="0.1.0",
            health=self.health,
            stop_trainers=lambda: self.trainers,
        )
        timeouts = Timeouts(call=5.0, drain=2.0, health=1.0, poll=0.01, pause=0.01, tries=3)
        return ServiceManager(daemon, timeouts, self.said.append)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    file, tools = tmp_path / "machine.json", tmp_path / "tools"
    facts = {"loaded": False, "pid": None, "disabled": False, "drain": 0, "draining": 0, "starts": True}
    more = {"kicks": True, "failed": False, "linger": "yes"}
    lists: dict[str, Any] = {"calls": [], "answers": {}, "hang": [], "said": {}}
    file.write_text(json.dumps({**facts, **more, **lists}))
    tools.mkdir()
    for name in ("launchctl", "systemctl", "loginctl", "plutil"):
        (tools / name).write_text(SCRIPT.format(python=sys.executable, file=str(file)))
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return Machine(file, tmp_path)


@pytest.fixture
def without() -> Callable[[Machine, str], None]:
    """Takes a program off the scripted machine."""
    return lambda machine, name: (machine.home / "tools" / name).unlink()
