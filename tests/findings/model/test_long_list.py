from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.findings.files import streamed_json
from jobs.findings.model import coerce
from jobs.findings.model.long_list import LongList

_entry = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
_lists = st.lists(_entry, max_size=8)
_bound = st.none() | st.integers(-12, 12)


def streamed(entries: list[Any]) -> LongList:
    """The long list that a text of these entries gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed_json, "_LONG", 1)
        found = streamed_json.decode(json.dumps(entries), 0, int)
    assert found is not None
    assert isinstance(found[0], LongList)
    return found[0]


def outcome(look: Callable[[], Any]) -> Any:
    """What a look gives: its value, or the kind of its error."""
    try:
        return look()
    except (IndexError, ValueError, TypeError) as error:
        return type(error)


@pytest.mark.slow
@given(entries=_lists)
def test_length_truth_and_every_walk_agree_with_the_list(entries: list[Any]) -> None:
    assert len(streamed(entries)) == len(entries)
    assert bool(streamed(entries)) == bool(entries)
    long = streamed(entries)
    assert list(long) == entries
    assert [*long, *long] == entries * 2
    assert list(reversed(long)) == entries[::-1]
    assert list(enumerate(long)) == list(enumerate(entries))
    assert tuple(long) == tuple(entries)


@given(entries=_lists, number=st.integers(-12, 12) | st.booleans())
def test_every_index_agrees_with_the_list(entries: list[Any], number: int) -> None:
    long = streamed(entries)
    assert outcome(lambda: long[number]) == outcome(lambda: entries[number])


@given(entries=_lists, start=_bound, stop=_bound, step=_bound)
def test_every_slice_agrees_with_the_list(
    entries: list[Any], start: int | None, stop: int | None, step: int | None
) -> None:
    long = streamed(entries)
    assert outcome(lambda: long[start:stop:step]) == outcome(lambda: entries[start:stop:step])


@given(entries=_lists, wanted=_entry, start=st.integers(-12, 12), stop=st.integers(-12, 12))
def test_looking_for_an_entry_agrees_with_the_list(
    entries: list[Any], wanted: Any, start: int, stop: int
) -> None:
    long = streamed(entries)
    for value in (wanted, *entries):
        assert (value in long) == (value in entries)
        assert long.count(value) == entries.count(value)
        assert outcome(lambda value=value: long.index(value)) == outcome(  # type: ignore[misc]
            lambda value=value: entries.index(value)  # type: ignore[misc]
        )
        assert outcome(lambda value=value: long.index(value, start, stop)) == outcome(  # type: ignore[misc]
            lambda value=value: entries.index(value, start, stop)  # type: ignore[misc]
        )


@pytest.mark.slow
@given(entries=_lists, others=_lists)
def test_equality_agrees_with_the_list_from_either_side(entries: list[Any], others: list[Any]) -> None:
    for other in (entries, others):
        same = entries == other
        assert (streamed(entries) == other) is same
        assert (other == streamed(entries)) is same
        assert (streamed(entries) == streamed(other)) is same
        assert (streamed(entries) != other) is not same
        assert (streamed(entries) in ([], None)) is (entries in ([], None))
    assert streamed(entries) != tuple(entries)
    assert copy.copy(streamed(entries)) == entries


@given(entries=_lists)
def test_whoever_reads_reports_takes_it_for_a_list(entries: list[Any]) -> None:
    long = streamed(entries)
    assert coerce.is_list(long)
    assert coerce.is_list_or_null(long)
    assert list(coerce.items(long)) == entries
    assert coerce.mappings(long) == coerce.mappings(entries)
    assert coerce.first_mappings(long, 2) == coerce.first_mappings(entries, 2)
    assert coerce.texts(long) == coerce.texts(entries)


def test_it_is_a_sequence_and_no_list() -> None:
    long = streamed([1, 2, 3])
    assert isinstance(long, Sequence)
    assert not isinstance(long, list)
    assert not any(hasattr(long, name) for name in ("append", "extend", "copy", "sort", "pop", "__add__"))


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(msgspec.json.encode, id="msgspec"),
        pytest.param(json.dumps, id="json"),
        pytest.param(lambda long: long + [4], id="add"),  # noqa: RUF005
        pytest.param(lambda long: [4] + long, id="add to a list"),  # noqa: RUF005
        pytest.param(hash, id="hash"),
    ],
)
def test_code_that_needs_a_true_list_fails_instead_of_seeing_an_empty_one(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        use(streamed([1, 2, 3]))


def test_a_slice_at_the_start_decodes_no_more_than_it_gives() -> None:
    decoded: list[int] = []

    def entries() -> Any:
        for number in range(1_000_000):
            decoded.append(number)
            yield number

    long = LongList(entries)
    assert long[:3] == [0, 1, 2]
    assert bool(long)
    assert long[2] == 2
    assert len(decoded) == 3 + 1 + 3


@pytest.mark.parametrize("value", [None, {}, {"a": 1}, "text", b"bytes", 3, 0.5, True, (), (1,)])
def test_nothing_else_is_a_json_list(value: object) -> None:
    assert not coerce.is_list(value)
    assert coerce.is_list_or_null(value) is (value is None)
    assert list(coerce.items(value)) == []
