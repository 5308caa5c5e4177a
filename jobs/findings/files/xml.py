"""XML: ZAP's reports in and behind text, whole or large; entities and broken files are refused by name."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, ParseError, XMLParser

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from jobs.findings.model.refusals import Refused

ZAP = "<OWASPZAPReport"
HTML = re.compile(r"<(!doctype html|html[\s>]|head[\s>]|body[\s>])", re.IGNORECASE)
_ROOT = re.compile(r"<([A-Za-z_][\w.-]*(?::[\w.-]+)?)[\s/>]")
# Not allowed in XML 1.0, yet ZAP copies them out of web pages.
_ILLEGAL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]|&#(?:x0*([0-9a-fA-F]+)|0*(\d+));"
)
_PIECE = 1 << 20
_PLAIN_ENCODING = re.compile(
    rb"""(?:<\?xml(?![^>]*encoding)|<\?xml[^>]*encoding=["']utf-8["']|<OWASPZAPReport)""", re.I
)


def behind_text(text: str) -> tuple[Element, tuple[str, ...]]:
    """ZAP's XML; ZAP's console output may stand before its declaration."""
    root_at = text.index(ZAP)
    declared = text.rfind("<?xml", 0, root_at)
    start = declared if declared >= 0 else root_at
    before = text[:start].strip()
    warnings = (f"{len(before.splitlines())} lines before the report were ignored",) if before else ()
    root, more = _xml(text[start:].rstrip())
    return root, (*warnings, *more)


def plain_root(data: bytes) -> Element | None:
    """A plain XML file from its bytes: as text it can need four times the memory, and a fifth more time."""
    # In UTF-8 a document type cannot be there unseen.
    if not _PLAIN_ENCODING.match(data[:400]) or b"<!DOCTYPE" in data:
        return None
    parser = XMLParser()
    try:
        for start in range(0, len(data), _PIECE):
            parser.feed(data[start : start + _PIECE])
        return parser.close()
    except (ParseError, ValueError, LookupError):
        return None  # read again as text: what is wrong is said, or mended, there


def parse(text: str) -> tuple[Element, tuple[str, ...]]:
    """The root of a text that begins with a tag, and what was unusual about it.

    Raises:
        Refused: It is a web page, not well-formed, or declares entities.
    """
    if HTML.match(text) or HTML.search(text[:2000]):
        raise Refused("not a report (HTML page)")
    return _xml(text)


def _xml(text: str) -> tuple[Element, tuple[str, ...]]:
    try:
        return _element(text), ()
    except ParseError as error:
        cleaned = _ILLEGAL.sub(_legal, text)
        if cleaned == text:
            raise Refused(_broken_xml(text, error)) from error
    try:
        return _element(cleaned), ("characters that XML does not allow were left out",)
    except ParseError as error:
        raise Refused(_broken_xml(text, error)) from error


def _element(text: str) -> Element:
    try:
        root = _harmless(text) if "<!DOCTYPE" not in text else fromstring(text)
    except DefusedXmlException as error:
        raise Refused(
            f"XML with entity or external declarations is not read ({type(error).__name__})"
        ) from error
    except (ValueError, LookupError) as error:
        raise Refused(f"not readable XML: {error}") from error
    return root


def _harmless(text: str) -> Element:
    """Parse XML that has no document type, hence no entity of its own: defusedxml is five times slower.

    It is fed in pieces, so that expat's UTF-8 copy of a large text is never whole.
    """
    parser = XMLParser()
    for start in range(0, len(text), _PIECE):
        parser.feed(text[start : start + _PIECE])
    return parser.close()


def _legal(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    if not digits or len(digits) > 7:
        return ""
    code = int(digits, 16 if match[1] else 10)
    allowed = (
        code in (9, 10, 13)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
    )
    return match[0] if allowed else ""


def _broken_xml(text: str, error: ParseError) -> str:
    name = _ROOT.search(text)
    if name is None:
        return "not a report (plain text)"
    line = error.position[0]
    if f"</{name[1]}>" not in text:
        return f"not complete XML: ends inside <{name[1]}> at line {text.count(chr(10)) + 1}"
    return f"not well-formed XML: {error} (root <{name[1]}>, line {line})"
