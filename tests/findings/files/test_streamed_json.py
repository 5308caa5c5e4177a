from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.findings.files import streamed_json
from jobs.findings.files.decode import open_document
from jobs.findings.model.long_list import LongList
from jobs.findings.model.refusals import Refused
from jobs.findings.parse import Parsed

Parse = Callable[..., Parsed]
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=6), inner, max_size=5)
    ),
    max_leaves=40,
)


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_json, "LARGE", 1)
    monkeypatch.setattr(streamed_json, "_LONG", 20)


def plain(value: Any) -> Any:
    """A value with its long lists walked into ordinary ones."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | LongList) else value


@given(value=_json, indent=st.sampled_from([None, 1]), wide=st.booleans())
def test_a_large_text_gives_the_values_of_json_loads(value: Any, indent: int | None, wide: bool) -> None:
    text = " " + json.dumps({"results": [value, value]}, indent=indent, ensure_ascii=not wide)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed_json, "_LONG", 8)
        found = streamed_json.decode(text, 1, int)
    assert found is not None
    assert plain(found[0]) == json.loads(text)
    assert found[1] == len(text)


@pytest.mark.usefixtures("everything_is_large")
def test_every_report_gives_the_same_findings_whether_streamed_or_not(
    parse: Parse, reports: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = {f"log-{name}": b"[INFO] log\n" + data + b"\nstale" for name, data in reports.items()}
    streamed = parse(**reports, **wrapped).to_json()
    monkeypatch.setattr(streamed_json, "LARGE", 1 << 30)
    assert parse(**reports, **wrapped).to_json() == streamed
    assert streamed["distinct_findings"] > 4


@pytest.mark.usefixtures("everything_is_large")
@pytest.mark.parametrize(
    "text",
    [
        '{"results": [1, 2 3, 4, 5, 6, 7, 8, 9]}',
        '{"results": [1, 2, 3, 4, 5, 6, 7, 8, 9}]',
        '{"results": [1, 2, 3, 4, 5, 6, 7, 8, 9], "a" 1}',
        '{"results": [1, 2, 3, 4, 5, 6, 7, 8, 9',
        '{"results": ["1, 2, 3, 4, 5, 6, 7, 8, 9]}',
        '{"results": [[[1, 2, 3, 4, 5, 6, 7, 8, 9, nul]]]}',
    ],
)
def test_a_broken_large_text_is_refused_as_a_small_one_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused) as streamed:
        open_document(text.encode())
    monkeypatch.setattr(streamed_json, "LARGE", 1 << 30)
    with pytest.raises(Refused) as whole:
        open_document(text.encode())
    assert str(streamed.value) == str(whole.value)


@pytest.mark.usefixtures("everything_is_large")
def test_a_long_list_behaves_as_the_list_it_stands_for() -> None:
    numbers = list(range(30))
    found = streamed_json.decode(json.dumps(numbers), 0, int)
    assert found is not None
    listed = found[0]
    assert isinstance(listed, LongList)
    assert (len(listed), listed[3], listed[:4], bool(listed)) == (30, 3, [0, 1, 2, 3], True)
    assert listed == numbers
    assert listed != []
    assert 29 in listed
    assert [*listed, *listed] == numbers * 2
    with pytest.raises(IndexError):
        listed[30]


def test_a_large_xml_report_is_read_from_its_bytes_alike(
    parse: Parse, reports: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    xml = reports["zap.xml"].partition(b"\n")[2]
    before = parse(xml).to_json()
    monkeypatch.setattr(streamed_json, "LARGE", 1)
    assert parse(xml).to_json() == before
    assert parse(xml.replace(b"<desc>", b"<desc>&#1;")).files[0].verdict == "parsed_with_warnings"


def test_an_entity_in_a_large_xml_report_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_json, "LARGE", 1)
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><OWASPZAPReport>&a;</OWASPZAPReport>'
    with pytest.raises(Refused, match="entity"):
        open_document(bomb)
