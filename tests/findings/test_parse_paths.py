from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.findings.merge.merge import merge
from jobs.findings.model.finding import Finding
from jobs.findings.model.refusals import Refused
from jobs.findings.parse import Limits, Parsed, parse_paths
from jobs.findings.scanners import detect
from jobs.findings.scanners.reading import ReportReading
from jobs.findings.scanners.registry import KNOWN_TOOLS

Parse = Callable[..., Parsed]


def test_one_bad_file_never_loses_its_delivery(parse: Parse, reports: dict[str, bytes]) -> None:
    good = reports["trivy.json"]
    parsed = parse(good, b"<html></html>", b"", good[: len(good) // 2])
    assert [report.verdict for report in parsed.files] == ["parsed", "refused", "refused", "refused"]
    reasons = [str(report.reason) for report in parsed.files[1:]]
    assert reasons[:2] == ["not a report (HTML page)", "empty file"]
    assert reasons[2].startswith("not complete JSON: ends inside")
    assert len(parsed.findings) == 1


def test_the_published_shape_has_exactly_its_keys(parse: Parse, reports: dict[str, bytes]) -> None:
    value = parse(reports["osv.json"]).to_json()
    assert list(value) == ["files", "distinct_findings", "findings", "skipped"]
    keys = {"path", "sha256", "verdict", "tool", "format", "raw_findings", "warnings", "reason"}
    assert set(value["files"][0]) == keys
    assert (value["files"][0]["raw_findings"], value["distinct_findings"]) == (2, 1)
    assert Finding.from_json(json.loads(json.dumps(value["findings"][0]))).to_json() == value["findings"][0]


def test_a_folder_may_be_called_like_a_report(
    tmp_path: Path, reports: dict[str, bytes], limits: Limits
) -> None:
    folder = tmp_path / "scan.sarif"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b").write_bytes(reports["zap.xml"])
    (folder / "a").write_bytes(reports["zap.json"])
    (folder / "link").symlink_to(tmp_path)
    lone = folder / "a"
    assert [report.path for report in parse_paths([folder], limits).files] == ["a", "deep/b"]
    assert [report.path for report in parse_paths([lone], limits).files] == [str(lone)]
    assert [report.path for report in parse_paths([lone], limits, root=tmp_path).files] == ["scan.sarif/a"]


def test_what_cannot_be_read_is_refused_with_the_cause(tmp_path: Path, limits: Limits) -> None:
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (limits.max_file_bytes + 1))
    found = parse_paths([tmp_path / "absent.json", large], limits).files
    assert [report.reason for report in found] == ["no such file", "larger than the limit of 1048576 bytes"]
    assert len(found[1].sha256) == 64


def test_a_bug_of_ours_refuses_one_file_and_is_logged(
    parse: Parse, reports: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(root: Any, reading: ReportReading) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(detect, "read_xml", broken)
    with caplog.at_level(logging.ERROR, "sectune.findings"):
        parsed = parse(reports["zap.xml"], reports["zap.json"])
    assert parsed.files[0].reason == "internal error: ZeroDivisionError: ours"
    assert parsed.files[1].verdict == "parsed"
    assert "Traceback" in caplog.text


def test_a_report_cut_at_any_byte_raises_nothing_and_gives_no_finding(
    parse: Parse, reports: dict[str, bytes]
) -> None:
    for data in reports.values():
        cuts = [data[:length] for length in range(0, len(data.rstrip()) - 1, 50)]
        parsed = parse(*cuts)
        assert {report.verdict for report in parsed.files} == {"refused"}
        assert not any("internal" in str(report.reason) for report in parsed.files)


_junk = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(),
        st.text(max_size=5),
        st.just("\ud800"),
        st.just("requires login"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def _swapped(value: Any, chance: Any, junk: Any) -> Any:
    if chance.random() < 0.06:
        return junk
    if isinstance(value, dict):
        return {key: _swapped(entry, chance, junk) for key, entry in value.items()}
    return [_swapped(entry, chance, junk) for entry in value] if isinstance(value, list) else value


@given(data=st.data(), chance=st.randoms(use_true_random=False), junk=_junk)
def test_values_of_wrong_types_never_raise(data: st.DataObject, chance: Any, junk: Any) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("reports", Path(__file__).with_name("conftest.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    name = data.draw(st.sampled_from([name for name in module.REPORTS if name != "zap.xml"]))
    reading = ReportReading("x", "0" * 64)
    with contextlib.suppress(Refused):
        detect.read_json(_swapped(json.loads(module.REPORTS[name]), chance, junk), reading)
    merged = [finding.to_json() for finding in merge(reading.findings, KNOWN_TOOLS)]
    assert json.dumps(merged, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert "requires login" not in json.dumps([one["fix"]["edit"] for one in merged])
