"""CURRENT, the certified model in use: one relative symbolic link, replaced by rename.

The ledger is the intent, the link is the deed. Activating writes the ledger's line first, with the name
the link held before (`from`), and forces it onto the disk; then it replaces the link. A crash in between
leaves a last line whose `from` is what the link still says: `recover` then completes the deed. A link that
is neither the last line's `name` nor its `from` was changed by hand, and is reported, not corrected
(one set back to `from` by hand looks like the crash: the ledger wins).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.errors import NotFoundError, OperatorError
from jobs.fs.files import fsync_folder, sha256_file
from jobs.registry.ledger import LEDGER_NAME, append_to_ledger, mend, read_ledger
from jobs.registry.name import parse_name
from jobs.registry.verify import METADATA_NAME, verify
from jobs.registry.writing import unfinished_name, writing

CURRENT_NAME = "CURRENT"
ACTIVATE = "activate"


def current(registry: Path) -> str | None:
    """The name of the model in use, or None where none was activated yet.

    Raises:
        OperatorError: CURRENT is no link, or points at something that is not in the registry.
    """
    name = linked_name(registry)
    if name is not None and not (registry / name).is_dir():
        raise OperatorError(
            f"{registry / CURRENT_NAME} points at {name}, which is not there.", "Activate another model."
        )
    return name


def linked_name(registry: Path) -> str | None:
    """What the link says, whether or not such a model is there.

    Raises:
        OperatorError: CURRENT is a file or a folder of its own.
    """
    link = registry / CURRENT_NAME
    if link.is_symlink():
        return str(link.readlink())
    if link.exists():
        raise OperatorError(f"{link} is not a link: sectune did not write it.", "Move it away.")
    return None


def activate(
    registry: Path,
    name: str,
    reason: str,
    gates: Mapping[str, bool | None] | None = None,
    override: bool = False,
) -> dict[str, Any]:
    """Make `name` the model in use, once its files were verified, and record why.

    Doing it again for the model already in use changes nothing.

    Args:
        registry: The registry's folder.
        name: A certified model's full name.
        reason: Why, in words; kept in the ledger.
        gates: What was asked of the model: passed, failed, or None where it could not be measured.
        override: A person wants it although a gate failed.

    Returns:
        The ledger's line.

    Raises:
        NotFoundError: There is no such model.
        OperatorError: No reason, a failed gate without `override`, damaged files, or a damaged ledger.
    """
    gates = dict(gates or {})
    _check_request(registry, name, reason)
    _check_gates(name, gates, override)
    with writing(registry):
        last = _complete_last(registry)
        held = linked_name(registry)
        if last is not None and held == name == last["name"]:
            return last
        _check_files(registry / name)
        event: dict[str, Any] = {"event": ACTIVATE, "name": name, "from": held, "reason": reason.strip()}
        event |= {"gates": gates, "override": override}
        event["metadata_sha256"] = sha256_file(registry / name / METADATA_NAME)
        record = append_to_ledger(registry / LEDGER_NAME, event)
        _point(registry, name)
    return record


def recover(registry: Path) -> str | None:
    """Complete an activation whose process died between the ledger and the link.

    Call it when the daemon starts; `activate` does so itself.

    Returns:
        The name now in use if something had to be completed, None if all was well.

    Raises:
        OperatorError: The ledger is damaged, CURRENT was changed by hand, or the model is gone.
    """
    if not registry.is_dir():
        return None
    with writing(registry):
        before = linked_name(registry)
        last = _complete_last(registry)
        held = linked_name(registry)
    if held != (last["name"] if last else None):
        raise OperatorError(
            f"CURRENT points at {held}, but the ledger last activated {last['name'] if last else 'nothing'}.",
            "Activate the one you want; that writes both.",
        )
    return held if held != before else None


def _complete_last(registry: Path) -> dict[str, Any] | None:
    """The last activation, with the link brought up to it if a crash came between them."""
    ledger = registry / LEDGER_NAME
    mend(ledger)
    lines = read_ledger(ledger)
    last: dict[str, Any] | None = next((line for line in reversed(lines) if line["event"] == ACTIVATE), None)
    if last is None:
        return None
    interrupted = linked_name(registry) == last["from"] != last["name"]
    if interrupted and (registry / last["name"]).is_dir():
        _point(registry, last["name"])
    return last


def _point(registry: Path, name: str) -> None:
    link = unfinished_name(registry)
    link.symlink_to(name)
    link.replace(registry / CURRENT_NAME)
    fsync_folder(registry)


def _check_request(registry: Path, name: str, reason: str) -> None:
    parse_name(name)
    if not (registry / name).is_dir():
        raise NotFoundError(
            f"There is no certified model {name} in {registry}.", "`sectune models list` shows them."
        )
    if not reason.strip():
        raise OperatorError(f"{name} cannot be activated without a reason.", "Say why: the ledger keeps it.")


def _check_gates(name: str, gates: Mapping[str, bool | None], override: bool) -> None:
    failed = sorted(gate for gate, passed in gates.items() if passed is False)
    if failed and not override:
        raise OperatorError(
            f"{name} was not activated: it did not pass {', '.join(failed)}.",
            "Activate it by hand, with a reason, if you want it all the same.",
        )


def _check_files(entry: Path) -> None:
    if problems := verify(entry):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise OperatorError(
            f"{entry.name} was not activated, its files are damaged: {problems[0]}{more}.",
            "Import or certify it again.",
        )
