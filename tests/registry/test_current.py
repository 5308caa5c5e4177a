from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import NotFoundError, OperatorError
from jobs.registry import current as module
from jobs.registry.current import activate, current, recover
from jobs.registry.entry import Certification, certify
from jobs.registry.ledger import read_ledger, verify_ledger

Finished = Callable[..., Certification]


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def names(registry: Path, finished: Finished) -> list[str]:
    return [certify(registry, finished(seed)).name for seed in (1, 2, 3)]


def killed_between_ledger_and_link(monkeypatch: pytest.MonkeyPatch, registry: Path, name: str) -> None:
    def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "_point", dies)
        with pytest.raises(Killed):
            activate(registry, name, "a better one")


def activated(registry: Path) -> list[str]:
    return [line["name"] for line in read_ledger(registry / "ledger.jsonl")]


def test_nothing_is_current_before_the_first_activation(registry: Path, names: list[str]) -> None:
    assert current(registry) is None
    assert recover(registry) is None
    assert names


def test_activating_writes_a_relative_link_and_a_line_in_the_ledger(registry: Path, names: list[str]) -> None:
    activate(registry, names[0], "the first")
    line = activate(registry, names[1], "  better  ", gates={"retention": True, "exact_match": None})
    assert (registry / "CURRENT").readlink() == Path(names[1])
    assert current(registry) == names[1]
    assert (line["from"], line["name"], line["reason"]) == (names[0], names[1], "better")
    assert line["gates"] == {"retention": True, "exact_match": None}
    assert verify_ledger(registry / "ledger.jsonl") == []


def test_activating_the_model_in_use_again_changes_nothing(registry: Path, names: list[str]) -> None:
    first = activate(registry, names[0], "the first")
    assert activate(registry, names[0], "again") == first
    assert activated(registry) == [names[0]]


@pytest.mark.parametrize("before", [None, 0])
def test_a_crash_between_ledger_and_link_is_completed_at_the_next_start(
    registry: Path, names: list[str], monkeypatch: pytest.MonkeyPatch, before: int | None
) -> None:
    if before is not None:
        activate(registry, names[before], "the first")
    killed_between_ledger_and_link(monkeypatch, registry, names[1])
    assert current(registry) == (None if before is None else names[before])
    assert recover(registry) == names[1]
    assert current(registry) == names[1]
    assert recover(registry) is None


def test_activating_again_after_the_crash_completes_it_without_a_second_line(
    registry: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_between_ledger_and_link(monkeypatch, registry, names[1])
    activate(registry, names[1], "a better one")
    assert (current(registry), activated(registry)) == (names[1], [names[1]])


def test_activating_another_after_the_crash_goes_through_the_first(
    registry: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_between_ledger_and_link(monkeypatch, registry, names[1])
    assert activate(registry, names[2], "the third")["from"] == names[1]
    assert current(registry) == names[2]


def test_a_crash_inside_the_ledgers_line_leaves_the_old_model_in_use(
    registry: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(registry, names[0], "the first")
    killed_between_ledger_and_link(monkeypatch, registry, names[1])
    ledger = registry / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    assert recover(registry) is None
    assert (current(registry), activated(registry)) == (names[0], [names[0]])


def test_a_link_changed_by_hand_is_reported_and_left_as_it_is(registry: Path, names: list[str]) -> None:
    activate(registry, names[0], "the first")
    activate(registry, names[1], "the second")
    (registry / "CURRENT").unlink()
    (registry / "CURRENT").symlink_to(names[2])
    with pytest.raises(OperatorError, match="ledger last activated"):
        recover(registry)
    assert current(registry) == names[2]
    activate(registry, names[0], "by the book again")
    assert recover(registry) is None


def test_a_failed_gate_needs_a_person_to_override_it(registry: Path, names: list[str]) -> None:
    gates = {"retention": False, "exact_match": True}
    with pytest.raises(OperatorError, match="did not pass retention"):
        activate(registry, names[0], "new", gates=gates)
    assert current(registry) is None
    assert activate(registry, names[0], "I want it", gates=gates, override=True)["override"] is True
    assert current(registry) == names[0]


def test_a_damaged_model_is_not_activated(registry: Path, names: list[str]) -> None:
    (registry / names[0] / "config.json").write_text("changed")
    with pytest.raises(OperatorError, match="damaged"):
        activate(registry, names[0], "new")
    assert current(registry) is None
    assert activated(registry) == []


def test_only_a_model_of_the_registry_can_be_activated_and_only_with_a_reason(
    registry: Path, names: list[str]
) -> None:
    with pytest.raises(NotFoundError):
        activate(registry, names[0].replace("v1.0", "v9.9"), "new")
    with pytest.raises(OperatorError, match="not a certified"):
        activate(registry, "../elsewhere", "new")
    with pytest.raises(OperatorError, match="reason"):
        activate(registry, names[0], " ")


def test_a_link_to_nothing_and_a_folder_called_current_are_reported(registry: Path, names: list[str]) -> None:
    (registry / "CURRENT").symlink_to("gone")
    with pytest.raises(OperatorError, match="not there"):
        current(registry)
    (registry / "CURRENT").unlink()
    (registry / "CURRENT").mkdir()
    with pytest.raises(OperatorError, match="not a link"):
        current(registry)
    assert names
