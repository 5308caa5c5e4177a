from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import pytest

from jobs.findings.model.finding import Finding, Fix, Location, Occurrence, Severity
from jobs.findings.model.structs import record
from jobs.findings.model.structs import replace as replaced

FINDING = Finding(
    "f1",
    "semgrep",
    "json",
    "rules.fixed-challenge",
    "Fixed challenge",
    severity=Severity("high", "ERROR", 7.5),
    location=Location("src/login.py", 7, 7, snippet=((7, "challenge = b'constant'"),)),
    fix=Fix("edit_tool", edit="urandom(32)", alternatives=("a", "b")),
    occurrences=(Occurrence("0" * 64, None, "/results/0"),),
)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        FINDING.rule = "another"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        FINDING.location.path = "another"  # type: ignore[misc,union-attr]


def test_a_record_is_a_dataclass_to_the_standard_library() -> None:
    changed = dataclasses.replace(FINDING, rule="another")
    assert (changed.rule, changed.fix, FINDING.rule) == ("another", FINDING.fix, "rules.fixed-challenge")
    assert changed == replaced(FINDING, rule="another") != FINDING
    assert [entry.name for entry in dataclasses.fields(Severity)] == ["level", "raw", "score", "origin"]
    assert dataclasses.asdict(FINDING) == FINDING.to_json()
    with pytest.raises(TypeError):
        dataclasses.replace(FINDING, unknown=1)  # type: ignore[call-arg]


def test_records_are_equal_hashed_copied_and_pickled_by_their_values() -> None:
    again = Finding.from_json(json.loads(json.dumps(FINDING.to_json())))
    assert again == FINDING
    assert hash(again) == hash(FINDING)
    assert copy.deepcopy(FINDING) == pickle.loads(pickle.dumps(FINDING)) == FINDING
    assert repr(Severity()) == "Severity(level='unknown', raw=None, score=None, origin=None)"


def test_a_record_asks_for_its_required_fields_and_knows_no_others() -> None:
    with pytest.raises(TypeError):
        Location()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Severity(colour="red")  # type: ignore[call-arg]


def test_only_frozen_records_with_slots_exist() -> None:
    with pytest.raises(TypeError, match="always frozen"):
        record(frozen=False, slots=True)
