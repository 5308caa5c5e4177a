from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import OperatorError
from jobs.registry.ledger import GENESIS, append_to_ledger, mend, read_ledger, verify_ledger

COUNT = 4


def build(path: Path, count: int = COUNT) -> bytes:
    for number in range(count):
        append_to_ledger(path, {"event": "activate", "name": f"model-{number}", "reason": "grün \u2028 \n"})
    return path.read_bytes()


def problems_of(content: bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        path.write_bytes(content)
        return verify_ledger(path)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build(tmp_path_factory.mktemp("ledger") / "ledger.jsonl")


def test_each_line_holds_the_hash_of_the_line_before(good: bytes) -> None:
    lines = good.splitlines()
    records = [json.loads(line) for line in lines]
    assert records[0]["previous"] == GENESIS
    for before, record in zip(lines, records[1:], strict=False):
        assert record["previous"] == hashlib.sha256(before).hexdigest()
    assert [record["sequence"] for record in records] == [1, 2, 3, 4]
    assert problems_of(good) == []


@given(data=st.data())
def test_any_changed_byte_is_found(good: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != good[position]))
    assert problems_of(good[:position] + bytes([byte]) + good[position + 1 :])


@given(st.permutations(range(COUNT)))
def test_any_other_order_of_the_lines_is_found(good: bytes, order: list[int]) -> None:
    lines = good.splitlines(keepends=True)
    shuffled = b"".join(lines[index] for index in order)
    assert bool(problems_of(shuffled)) == (shuffled != good)


@pytest.mark.parametrize("index", range(COUNT - 1))
def test_a_removed_or_repeated_line_is_found(good: bytes, index: int) -> None:
    lines = good.splitlines(keepends=True)
    assert problems_of(b"".join(lines[:index] + lines[index + 1 :]))
    assert problems_of(b"".join([*lines, lines[index]]))


@pytest.mark.parametrize("index", range(COUNT - 1))
def test_a_line_rewritten_with_a_hash_that_fits_it_is_found_by_the_next(good: bytes, index: int) -> None:
    lines = good.splitlines()
    record = json.loads(lines[index])
    del record["sha256"]
    record["name"] = "another"
    text = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    record["sha256"] = hashlib.sha256(text).hexdigest()
    lines[index] = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    assert problems_of(b"\n".join(lines) + b"\n") == [f"line {index + 2} does not follow the line before it"]


@given(data=st.data())
def test_a_torn_last_line_is_cut_and_the_chain_goes_on(good: bytes, data: st.DataObject) -> None:
    kept = b"".join(good.splitlines(keepends=True)[:-1])
    torn = good[: data.draw(st.integers(len(kept) + 1, len(good) - 2))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        path.write_bytes(torn)
        assert "incomplete" in verify_ledger(path)[0]
        append_to_ledger(path, {"event": "activate", "name": "next"})
        assert path.read_bytes().startswith(kept)
        assert [line["name"] for line in read_ledger(path)] == ["model-0", "model-1", "model-2", "next"]


def test_a_last_line_that_lost_only_its_newline_is_kept(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(good[:-1])
    mend(path)
    assert path.read_bytes() == good


def test_nothing_is_added_to_a_damaged_ledger(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    damaged = good.replace(b"model-1", b"model-9")
    path.write_bytes(damaged)
    with pytest.raises(OperatorError, match="line 2"):
        append_to_ledger(path, {"event": "activate"})
    assert path.read_bytes() == damaged


def test_a_ledger_that_does_not_exist_yet_is_empty_and_good(tmp_path: Path) -> None:
    assert verify_ledger(tmp_path / "ledger.jsonl") == []
    assert read_ledger(tmp_path / "ledger.jsonl") == []


def test_a_new_ledger_is_for_its_owner_only(tmp_path: Path) -> None:
    build(tmp_path / "ledger.jsonl", 1)
    assert (tmp_path / "ledger.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_chains_own_keys_cannot_be_given(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="previous"):
        append_to_ledger(tmp_path / "ledger.jsonl", {"event": "x", "previous": GENESIS})
