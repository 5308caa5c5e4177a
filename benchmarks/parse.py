"""How long reading reports takes, against json.loads or expat of the same bytes.

Usage: python benchmarks/parse.py [--json] [--rounds N] [--most RATIO] [FOLDER ...]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from jobs.findings.merge import keys  # noqa: E402 - the path is set above
from jobs.findings.merge.merge import merge  # noqa: E402
from jobs.findings.model import advisory, cwe, packages, severity, versions  # noqa: E402
from jobs.findings.parse import parse_bytes  # noqa: E402
from jobs.findings.scanners import osv, sarif_locations, trivy, zap  # noqa: E402
from jobs.findings.scanners.reading import ReportReading, sha256  # noqa: E402
from jobs.findings.scanners.registry import KNOWN_TOOLS  # noqa: E402

MODULES = (advisory, cwe, keys, osv, packages, sarif_locations, severity, trivy, versions, zap)
CACHES = [found for module in MODULES for found in vars(module).values() if hasattr(found, "cache_clear")]


@dataclass(frozen=True)
class Timing:
    """Best seconds of one file: its bare decoding, its reading, its reading and merging."""

    kind: str
    size: int
    findings: int
    bare: float
    read: float
    merged: float


def bare(data: bytes) -> None:
    """What any reader of the file has to do at least."""
    if data.lstrip().startswith(b"<"):
        expat.ParserCreate().Parse(data, True)
    else:
        json.loads(data)


def read(data: bytes) -> ReportReading:
    """From bytes to findings: hash, decode, tell the tool, build every finding."""
    reading = ReportReading("report", sha256(data))
    parse_bytes(data, reading)
    return reading


def read_and_merge(data: bytes) -> None:
    """The findings of one file brought together and given their fingerprints."""
    merge(read(data).findings, KNOWN_TOOLS)


def comparable(files: Iterable[Path]) -> list[bytes]:
    """The files that the bare decoder can read: another one has nothing to be compared with."""
    found = []
    for path in files:
        data = path.read_bytes()
        try:
            bare(data)
        except (ValueError, expat.ExpatError):
            continue
        found.append(data)
    return found


def shortest(work: Callable[[bytes], object], files: Sequence[bytes], rounds: int) -> list[float]:
    """The shortest time of each file; a round reads them all and starts with nothing remembered."""
    best = [float("inf")] * len(files)
    for _ in range(rounds):
        for cache in CACHES:
            cache.cache_clear()
        for number, data in enumerate(files):
            start = time.perf_counter()
            work(data)
            best[number] = min(best[number], time.perf_counter() - start)
    return best


def timings(files: Sequence[bytes], rounds: int) -> list[Timing]:
    """Time every file."""
    found = []
    columns = [shortest(work, files, rounds) for work in (bare, read, read_and_merge)]
    for data, *times in zip(files, *columns, strict=True):
        report, reading = parse_bytes(data, ReportReading("report", ""))
        kind = f"{report.tool or 'refused'} {report.format or ''}".strip()
        found.append(Timing(kind, len(data), len(reading.findings), *times))
    return found


def summary(of: Sequence[Timing]) -> dict[str, float | int]:
    """The sums of some timings, and their ratios."""
    plain, reading, merging = (sum(getattr(one, name) for one in of) for name in ("bare", "read", "merged"))
    return {
        "files": len(of),
        "bytes": sum(one.size for one in of),
        "findings": sum(one.findings for one in of),
        "bare_ms": round(plain * 1e3, 3),
        "read_ms": round(reading * 1e3, 3),
        "merged_ms": round(merging * 1e3, 3),
        "ratio": round(reading / plain, 2),
        "ratio_with_merging": round(merging / plain, 2),
    }


def samples(folders: Sequence[Path]) -> list[Path]:
    """The reports below some folders."""
    files = (path for folder in folders for path in sorted(folder.rglob("*")))
    return [path for path in files if path.is_file() and path.name not in {"README.md", "expected.json"}]


def default_folders() -> list[Path]:
    """The reports that the project ships, and the samples beside it where there are some."""
    beside = Path(os.environ.get("SECTUNE_SAMPLES", ROOT.parent / "shared" / "samples"))
    return [folder for folder in (ROOT / "daemon" / "demo" / "data" / "reports", beside) if folder.is_dir()]


def main() -> int:
    """Measure and print; the exit code is 1 where `--most` was given and is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--most", type=float, help="the largest ratio that is still good")
    given = parser.parse_args()
    start = time.perf_counter()
    measured = timings(comparable(samples(given.folders or default_folders())), given.rounds)
    groups: dict[str, list[Timing]] = defaultdict(list)
    for one in measured:
        groups[one.kind].append(one)
    everything = {"all": summary(measured), **{kind: summary(of) for kind, of in sorted(groups.items())}}
    if given.json:
        sys.stdout.write(
            json.dumps({"python": sys.version.split()[0], "rounds": given.rounds, **everything}) + "\n"
        )
    else:
        sys.stdout.write(f"{'':20} files findings    bytes  bare ms  read ms ratio  +merge ratio\n")
        for kind, sums in everything.items():
            row = "{files:5} {findings:8} {bytes:8} {bare_ms:8.2f} {read_ms:8.2f} {ratio:5.2f} "
            sys.stdout.write(
                f"{kind:20} {(row + '{merged_ms:7.2f} {ratio_with_merging:5.2f}').format(**sums)}\n"
            )
        took = time.perf_counter() - start
        sys.stdout.write(
            f"best of {given.rounds} rounds, caches cold, start-up excluded; took {took:.0f} s\n"
        )
    return 1 if given.most and everything["all"]["ratio"] > given.most else 0


if __name__ == "__main__":
    sys.exit(main())
