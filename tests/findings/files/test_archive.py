from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from jobs.findings.parse import Limits, Parsed, parse_paths


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def parsed(tmp_path: Path, data: bytes, limits: Limits, name: str = "delivery.bin") -> Parsed:
    path = tmp_path / name
    path.write_bytes(data)
    return parse_paths([path], limits, root=tmp_path)


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, "w:gz")])
def test_the_members_of_every_kind_of_archive_are_parsed(
    tmp_path: Path, reports: dict[str, bytes], limits: Limits, pack: object
) -> None:
    litter = {"__MACOSX/._x.json": b"x", "a/._trivy.json": b"x", ".DS_Store": b"x"}
    data = pack({**litter, "a/trivy.json": reports["trivy.json"], "page.html": b"<html>"})  # type: ignore[operator]
    found = parsed(tmp_path, data, limits).files
    assert [(report.path, report.verdict) for report in found] == [
        ("delivery.bin!a/trivy.json", "parsed"),
        ("delivery.bin!page.html", "refused"),
    ]


def test_archives_are_opened_one_level_deep_and_no_deeper(
    tmp_path: Path, reports: dict[str, bytes], limits: Limits
) -> None:
    inner = zipped({"zap.xml": reports["zap.xml"]})
    data = zipped(
        {"one.zip": inner, "two.zip": zipped({"three.zip": inner}), "osv.json": reports["osv.json"]}
    )
    found = {report.path: report for report in parsed(tmp_path, data, limits).files}
    assert found["delivery.bin!one.zip!zap.xml"].raw_findings == 1
    assert found["delivery.bin!osv.json"].verdict == "parsed"
    assert "nested more than once" in str(found["delivery.bin!two.zip!three.zip"].reason)


def test_a_gzip_file_is_its_only_member(tmp_path: Path, reports: dict[str, bytes], limits: Limits) -> None:
    found = parsed(tmp_path, gzip.compress(reports["checkov.json"]), limits, "checkov.json.gz")
    assert [report.path for report in found.files] == ["checkov.json.gz!checkov.json"]
    assert found.findings[0].occurrences[0].member == "checkov.json"


def _refusal(tmp_path: Path, data: bytes, limits: Limits) -> str:
    result = parsed(tmp_path, data, limits)
    assert [report.verdict for report in result.files] == ["refused"]
    assert result.findings == ()
    return str(result.files[0].reason)


@pytest.mark.parametrize("name", ["/etc/cron.d/x", "C:\\x.json", "\\\\host\\x.json"])
def test_absolute_paths_are_refused(tmp_path: Path, limits: Limits, name: str) -> None:
    assert "absolute path" in _refusal(tmp_path, zipped({"ok.json": b"{}", name: b"{}"}), limits)
    assert "absolute path" in _refusal(tmp_path, tarred({name: b"{}"}), limits)


@pytest.mark.parametrize("name", ["../x.json", "a/../../x.json", "a\\..\\x.json"])
def test_paths_that_climb_are_refused(tmp_path: Path, limits: Limits, name: str) -> None:
    assert "path with .." in _refusal(tmp_path, zipped({name: b"{}"}), limits)
    assert "path with .." in _refusal(tmp_path, tarred({name: b"{}"}), limits)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, limits: Limits, kind: bytes) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("x.json")
        entry.type, entry.linkname = kind, "/etc/hosts"
        archive.addfile(entry)
    assert "link, device" in _refusal(tmp_path, stream.getvalue(), limits)


def test_a_zip_s_symbolic_link_is_refused(tmp_path: Path, limits: Limits) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        entry = zipfile.ZipInfo("x.json")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/hosts")
    assert "link or device" in _refusal(tmp_path, stream.getvalue(), limits)


def test_too_many_members_are_refused(tmp_path: Path, limits: Limits) -> None:
    many = {f"{number}.json": b"{}" for number in range(limits.max_members + 1)}
    assert "more than 20 members" in _refusal(tmp_path, zipped(many), limits)
    assert "more than 20 members" in _refusal(tmp_path, tarred(many), limits)


def test_a_ratio_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, limits: Limits) -> None:
    zeros = bytes(2 << 20)
    roomy = Limits(max_file_bytes=8 << 20, max_members=20, max_total_bytes=64 << 20, max_ratio=50)
    assert "more than 50 times" in _refusal(tmp_path, zipped({"a.json": zeros, "b.json": zeros}), roomy)
    assert "unpacks to more" in _refusal(tmp_path, gzip.compress(bytes(20 << 20)), roomy)
    assert "larger than 1048576 bytes" in _refusal(tmp_path, zipped({"a.json": zeros}), limits)


def test_an_encrypted_zip_is_refused(tmp_path: Path, limits: Limits) -> None:
    data = bytearray(zipped({"a.json": b"{}"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    assert "encrypted" in _refusal(tmp_path, bytes(data), limits)


def test_a_lying_size_and_a_damaged_member_lose_themselves_alone(
    tmp_path: Path, reports: dict[str, bytes], limits: Limits
) -> None:
    data = bytearray(zipped({"bad.json": b"{}" * 50, "trivy.json": reports["trivy.json"]}))
    data[data.index(b"bad.json") + 8] ^= 0xFF
    found = parsed(tmp_path, bytes(data), limits).files
    assert [report.verdict for report in found] == ["refused", "parsed"]
    assert "damaged" in str(found[0].reason)


@pytest.mark.parametrize(
    "data", [b"7z\xbc\xaf\x27\x1c....", b"Rar!\x1a\x07\x00", b"BZh91AY", b"PK\x05\x06", b"\x1f\x8b"]
)
def test_other_empty_and_broken_archives_are_refused(tmp_path: Path, limits: Limits, data: bytes) -> None:
    assert "archive" in _refusal(tmp_path, data, limits)
