"""From a file's bytes to its JSON value or XML root; what is neither is refused by name."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import msgspec

from jobs.findings.files import streamed_json, xml
from jobs.findings.model import coerce
from jobs.findings.model.refusals import Refused
from jobs.findings.model.structs import record

# UTF-32 before UTF-16: its little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_XML_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}encoding=["']([A-Za-z0-9._-]{1,40})["']""")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|"|[{}\[\]]', re.DOTALL)
_JSON_LINE = re.compile(r"^(?=[\[{])", re.MULTILINE)
# Only so many places are tried behind leading log lines, so that a hostile file costs no quadratic time.
_MAX_STARTS = 50
_MARKDOWN = re.compile(r"^(#{1,6} \S|```|\|.*\|\s*$|[-*] \[|\[!\[)", re.MULTILINE)
_TABLE = re.compile(r"^(\+[-=+]{3,}|[─│┌╭═║╔├└┏┃━]|[-=]{3,}\s+[-=]{3,})", re.MULTILINE)
_HEAD = 400  # bytes in which the root of an XML report stands
_YAML = re.compile(r"\A(---\s|[\w.-]+:(\s|$))")


@record(frozen=True, slots=True)
class Document:
    """A decoded file: a JSON value or an XML root, and what was unusual about reaching it."""

    value: Any
    root: Element | None
    warnings: tuple[str, ...] = ()


def open_document(data: bytes) -> Document:
    """Decode a file and parse it as JSON or XML.

    Raises:
        Refused: It is empty, no text, neither JSON nor XML, or ends too early; the message says which.
    """
    likely = len(data) >= streamed_json.LARGE or xml.ZAP.encode() in data[:_HEAD]
    if likely and (root := xml.plain_root(data)) is not None:
        return Document(None, root)
    if data[:1] in {b"{", b"["} and (decoded := _plain_json(data)) is not None:
        return decoded
    text, warnings = to_text(data)
    start = text.lstrip()
    if not start:
        raise Refused("empty file")
    if start[0] not in "{[" and xml.ZAP in text:
        root, more = xml.behind_text(text)
        return Document(None, root, (*warnings, *more))
    if start[0] == "<":
        root, more = xml.parse(start)
        return Document(None, root, (*warnings, *more))
    value, more = _json(text)
    return Document(value, None, (*warnings, *more))


def _plain_json(data: bytes) -> Document | None:
    """Plain JSON in UTF-8, in half of json.loads' time.

    None for what msgspec does not take: NaN, 1e400 and half a surrogate pair, which json.loads takes, and
    all that is broken, of which it says more. A large file is not decoded whole.
    """
    if len(data) >= streamed_json.LARGE:
        return None
    try:
        return Document(msgspec.json.decode(data), None)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def to_text(data: bytes) -> tuple[str, tuple[str, ...]]:
    """Decode bytes by their mark, their zero bytes (UTF-16), their XML declaration, else as UTF-8.

    Raises:
        Refused: The bytes are no text.
    """
    encoding, skip = _encoding(data)
    try:
        return data[skip:].decode(encoding), ()
    except (UnicodeDecodeError, LookupError) as error:
        if b"\0" in data[:4096]:
            raise Refused("not a report (binary file)") from error
    text = data[skip:].decode("utf-8" if encoding.startswith("utf-8") else "latin-1", "replace")
    if text[:4096].count("\ufffd") > len(text[:4096]) // 10:
        raise Refused("not a report (binary file)")
    return text, (f"not valid {encoding}: some characters were replaced",)


def _encoding(data: bytes) -> tuple[str, int]:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name, len(mark)
    if len(data) >= 4 and 0 in data[:4]:
        if data[1] == 0 == data[3] and data[0] and data[2]:
            return "utf-16-le", 0
        if data[0] == 0 == data[2] and data[1] and data[3]:
            return "utf-16-be", 0
        raise Refused("not a report (binary file)")
    declared = _XML_ENCODING.match(data.lstrip()[:300])
    return (declared[1].decode("ascii").lower() if declared else "utf-8"), 0


def _json(text: str) -> tuple[Any, tuple[str, ...]]:
    """The JSON value of a text, behind log lines and before stale text where need be."""
    warnings: tuple[str, ...] = ()
    try:
        value = _loads(text)
    except json.JSONDecodeError as error:
        value, warnings = _decode_embedded(text, error)
    if not isinstance(value, str):
        return value, warnings
    inner = value.strip()
    if not inner.startswith(("{", "[")):
        raise Refused("not a report (a JSON string)")
    try:
        return _loads(inner), (*warnings, "the report was wrapped in a JSON string")
    except json.JSONDecodeError as error:
        raise Refused(f"the JSON string holds no JSON: {error.msg}") from error


def _loads(text: str) -> Any:
    """json.loads that names what it cannot take.

    Raises:
        json.JSONDecodeError: It is not JSON.
        Refused: It is nested too deeply.
    """
    if len(text) >= streamed_json.LARGE and (found := _decode_large(text)):
        return found[0]
    try:
        return _small(text)
    except RecursionError as error:
        raise Refused("nested too deeply to be a report") from error


def _small(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Invalid control character"):
            raise
        return json.loads(text, strict=False)  # raw tabs and newlines inside strings are common and harmless
    except ValueError:  # an integer beyond Python's limit of 4300 digits
        return json.loads(text, parse_int=_any_int, strict=False)


def _decode_large(text: str) -> tuple[Any, int] | None:
    start = len(text) - len(text.lstrip())
    found = streamed_json.decode(text, start, _any_int)
    return found if found and not text[found[1] :].strip() else None


def _any_int(digits: str) -> int | None:
    return int(digits) if len(digits) < 4000 else None


def _decode_embedded(text: str, error: json.JSONDecodeError) -> tuple[Any, tuple[str, ...]]:
    """JSON with text around it; a file that ends inside its first value is refused as incomplete."""
    for start in _starts(text):
        try:
            found = streamed_json.decode(text, start, _any_int) if len(text) >= streamed_json.LARGE else None
            decoder = json.JSONDecoder(strict=False, parse_int=_any_int)
            value, end = found or decoder.raw_decode(text, start)
        except json.JSONDecodeError as inner:
            if _is_cut(text, start, inner):
                raise Refused(_cut_message(text, start)) from error
            continue
        except RecursionError as inner:
            raise Refused("nested too deeply to be a report") from inner
        if coerce.is_list(value) and value and not any(isinstance(entry, dict) for entry in value[:100]):
            continue  # "[1]" or "[12:30]" of a log line
        return value, _around(text, start, end)
    raise Refused(_not_json(text, error))


def _starts(text: str) -> Iterator[int]:
    first = len(text) - len(text.lstrip())
    if text[first] in "{[":
        yield first
    for count, match in enumerate(_JSON_LINE.finditer(text)):
        if count >= _MAX_STARTS:
            return
        if match.start() != first:
            yield match.start()


def _around(text: str, start: int, end: int) -> tuple[str, ...]:
    before, after = text[:start].strip(), text[end:].strip()
    found = []
    if before:
        found.append(f"{len(before.splitlines())} lines before the report were ignored")
    if after:
        found.append(f"{len(after)} characters of stale text behind the report were ignored")
    return tuple(found)


def _is_cut(text: str, start: int, error: json.JSONDecodeError) -> bool:
    if error.msg.startswith("Unterminated string"):
        return True
    # 12 characters hold any cut literal ("-Infinity") or escape.
    return error.pos >= len(text.rstrip()) - 12 and bool(_open_brackets(text, start)[0])


def _open_brackets(text: str, start: int) -> tuple[str, bool]:
    """The brackets still open at the end, and whether a string is."""
    open_: list[str] = []
    for match in _TOKEN.finditer(text, start):
        token = match[0]
        if token == '"':
            return "".join(open_), True
        if token in "{[":
            open_.append(token)
        elif token in "}]" and open_:
            open_.pop()
    return "".join(open_), False


def _cut_message(text: str, start: int) -> str:
    brackets, in_string = _open_brackets(text, start)
    inside = "a string" if in_string else "an array" if brackets.endswith("[") else "an object"
    lines = text.rstrip().count("\n") + 1
    return f"not complete JSON: ends inside {inside} at line {lines}"


def _not_json(text: str, error: json.JSONDecodeError) -> str:
    head = text.lstrip()[:20_000]
    if head[0] in "{[" and not re.match(r"\[[^\]\n\"{]*\]", head):
        return f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    return f"not a report ({kind_of_text(head)})"


def kind_of_text(head: str) -> str:
    """The kind of a text that is neither JSON nor XML, for the refusal."""
    kinds = ((xml.HTML, "HTML page"), (_TABLE, "plain table"), (_MARKDOWN, "Markdown"), (_YAML, "YAML"))
    for pattern, name in kinds:
        if pattern.search(head):
            return name
    rows = head.splitlines()[:2]
    counts = [{row.count(mark) for row in rows} for mark in ",;\t"]
    return "CSV" if any(len(count) == 1 and min(count) > 1 for count in counts) else "plain text"
