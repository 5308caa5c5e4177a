from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.findings.files.decode import open_document, to_text
from jobs.findings.model.refusals import Refused


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_encoding_a_tool_writes_gives_the_same_value(encoding: str) -> None:
    text = json.dumps({"runs": ["für"]}, ensure_ascii=False)
    assert open_document(text.encode(encoding)).value == {"runs": ["für"]}


def test_log_lines_before_and_stale_text_behind_are_warnings() -> None:
    document = open_document(b'[INFO] started\n[12:30] done\n{"a": [1]}\n"old": 1}]}')
    assert document.value == {"a": [1]}
    assert "2 lines before" in document.warnings[0]
    assert "stale text" in document.warnings[1]


def test_json_in_a_json_string_is_unwrapped_once() -> None:
    assert open_document(json.dumps(json.dumps({"a": 1})).encode()).value == {"a": 1}
    twice = json.dumps(json.dumps(json.dumps({"a": 1})))
    with pytest.raises(Refused, match="a JSON string"):
        open_document(twice.encode())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b" \n\t", "empty file"),
        (b"\xef\xbb\xbf", "empty file"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", r"not a report \(HTML page\)"),
        (b"# Report\n\n| a | b |\n|---|---|\n", r"not a report \(Markdown\)"),
        ("┌────┐\n│ id │\n".encode(), r"not a report \(plain table\)"),
        (b"name,version,id\na,1,x\n", r"not a report \(CSV\)"),
        (b"rules:\n- id: x\n", r"not a report \(YAML\)"),
        (b"No issues found.\n", r"not a report \(plain text\)"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary"),
        (b'{"a": [1, 2', "not complete JSON: ends inside an array at line 1"),
        (b'{"a":\n "tex', "not complete JSON: ends inside a string at line 2"),
        (b'{"a":\n 1,\n', "not complete JSON: ends inside an object at line 2"),
        (b'{"a" 1, "b": 2, "c": [1, 2, 3, 4, 5, 6, 7]}', "not valid JSON: Expecting ':' delimiter at line 1"),
        (b"[" * 100_000, "nested too deeply"),
        (b"<OWASPZAPReport><site>", "not complete XML: ends inside <OWASPZAPReport>"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "entity"),
    ],
)
def test_what_is_no_report_is_refused_by_name(content: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        open_document(content)


def test_a_cut_report_behind_a_log_line_is_not_mistaken_for_an_inner_object() -> None:
    with pytest.raises(Refused, match="not complete JSON"):
        open_document(b'log\n{\n"results": [\n{"a": 1},\n{"b"')


def test_characters_that_xml_forbids_are_left_out() -> None:
    document = open_document(b"<OWASPZAPReport><site>a&#x0;b\x01c</site></OWASPZAPReport>")
    assert document.root is not None
    assert document.root.findtext("site") == "abc"
    assert document.warnings


@pytest.mark.parametrize(("text", "value"), [('{"a": "x\ty"}', "x\ty"), ('{"a": ' + "9" * 5000 + "}", None)])
def test_raw_tabs_and_monstrous_integers_do_not_lose_a_file(text: str, value: Any) -> None:
    assert open_document(text.encode()).value == {"a": value}


def test_broken_utf8_is_replaced_with_a_warning() -> None:
    text, warnings = to_text(b'{"a": "caf\xe9", "padding": "xxxxxxxxxxxxxxxxxxxx"}')
    assert "caf\ufffd" in text
    assert len(warnings) == 1


_json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@given(value=st.lists(_json_value, max_size=4), ascii_only=st.booleans())
def test_json_is_decoded_as_the_standard_library_decodes_it(value: list[object], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert repr(open_document(text.encode()).value) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        "[NaN, Infinity, -Infinity]",
        "[1e400, -1e400]",
        "[-0, -0.0, 1.0, 1E5, 5e-324]",
        '["\\ud800", "\\ud83d\\ude00"]',
        '{"a": 1, "b": 2, "a": 3}',
        "[18446744073709551616, -9223372036854775809]",
        "[" + "9" * 400 + ", " + "1" * 310 + ".5]",
    ],
)
def test_what_only_the_standard_library_takes_is_taken(text: str) -> None:
    assert repr(open_document(text.encode()).value) == repr(json.loads(text))
