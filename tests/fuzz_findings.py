"""Fuzzing of the report reader: `python tests/fuzz_findings.py [--inputs N] [--seed N] [FOLDER ...]`.

Reports are cut, bent and packed; each goes through the public way in, in a child whose memory is limited.
It fails where an exception leaves, where the last resort had to catch one of ours, or memory runs away.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jobs.findings.files.archive import Limits
from jobs.findings.parse import parse_paths

ROOT = Path(__file__).resolve().parents[1]
MAX_MEMORY = 1 << 30
LIMITS = Limits(max_file_bytes=8 << 20, max_members=100, max_total_bytes=32 << 20, max_ratio=200)
HUGE = (10**30, -(10**30), 1e308, -1, 0, 2**63, 10**17, 1e-320, float("inf"), float("nan"))
SWAPS: tuple[Any, ...] = (
    None,
    True,
    [],
    {},
    "",
    "requires login",
    "\ud800",
    "0",
    "-1",
    "../../x",
    [[]],
    [None],
    [{}],
    {"text": None},
    {"": {}},
    "x" * 5000,
    "1." * 500,
    "<p>" * 500,
    "CVSS:3.1/AV:" * 50,
    *HUGE,
)


def own_reports() -> list[bytes]:
    """The small reports in every shape that the tests build, and the demo's."""
    spec = importlib.util.spec_from_file_location("reports", ROOT / "tests" / "findings" / "conftest.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.REPORTS.values())


def files_below(folders: Sequence[Path]) -> list[bytes]:
    """The files of some folders; mutants of the largest would cost more and say no more."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    return [data for path in paths if 0 < len(data := path.read_bytes()) <= 200_000]


def mutant(seed: int, corpus: Sequence[bytes]) -> bytes:
    """The input number `seed`; the same one every time."""
    chance = random.Random(seed)
    data = chance.choice(corpus)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = chance.choice(MUTATIONS)(data, chance, corpus)
    return data


def _cut(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _flip(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    bent = bytearray(data)
    for _count in range(chance.choice((1, 2, 8, 64))):
        if bent:
            bent[chance.randrange(len(bent))] = chance.choice((0, 34, 44, 91, 93, 123, 125, 60, 62, 255, 92))
    return bytes(bent)


def _splice(data: bytes, chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    other = chance.choice(corpus)
    start, end = sorted((chance.randrange(len(other) + 1), chance.randrange(len(other) + 1)))
    at = chance.randrange(len(data) + 1)
    return data[:at] + other[start:end][:50_000] + data[at + chance.randrange(100) :]


def _swap(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """Values of other types, huge numbers and lone surrogates anywhere in the tree."""
    value = _loaded(data)
    rate = chance.choice((0.003, 0.02, 0.2))
    return _dumped(_walked(value, lambda entry: chance.choice(SWAPS) if chance.random() < rate else entry))


def _drop(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    def without(entry: Any) -> Any:
        if isinstance(entry, dict) and entry and chance.random() < 0.2:
            gone = chance.choice(list(entry))
            return {key: value for key, value in entry.items() if key != gone}
        return entry

    return _dumped(_walked(_loaded(data), without))


def _nest(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A value somewhere replaced by brackets hundreds or a hundred thousand deep."""
    depth = chance.choice((3, 100, 900, 5_000, 100_000))
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>")))
    at = data.find(b":", chance.randrange(len(data) + 1)) + 1
    middle = b"" if chance.random() < 0.5 else b"1" + closing * depth
    return data[:at] + opening * depth + middle + data[at:]


def _grow(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """One list of the tree, a thousand times as long."""
    done = False

    def longer(entry: Any) -> Any:
        nonlocal done
        if isinstance(entry, list) and 0 < len(entry) < 20 and not done and chance.random() < 0.3:
            done = True
            return (entry * 1000)[: 2_000_000 // (len(json.dumps(entry[0])) + 1) + 1]
        return entry

    return _dumped(_walked(_loaded(data), longer))


def _encode(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    text = data.decode("utf-8", "replace")
    kind = chance.choice(("utf-16", "utf-16-be", "utf-8-sig", "utf-32", "latin-1", "string", "log"))
    if kind == "string":
        return json.dumps(text).encode()
    if kind == "log":
        return f"[INFO] start\n{text}\n{{}} tail".encode()
    return text.encode(kind, "replace")


def _pack(data: bytes, chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    if chance.random() < 0.3:
        return gzip.compress(data, 1)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(chance.choice(("a.json", "../a", "é/b", "a")), data)
        archive.writestr("b.json", chance.choice(corpus))
    return stream.getvalue()


MUTATIONS: tuple[Callable[[bytes, random.Random, Sequence[bytes]], bytes], ...] = (
    _cut,
    _cut,
    _flip,
    _splice,
    _swap,
    _swap,
    _swap,
    _drop,
    _nest,
    _grow,
    _encode,
    _pack,
)


def _loaded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return {"results": [data[:2000].decode("utf-8", "replace")]}


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _walked(value: Any, change: Callable[[Any], Any]) -> Any:
    value = change(value)
    if isinstance(value, dict):
        return {key: _walked(entry, change) for key, entry in list(value.items())[:5000]}
    return [_walked(entry, change) for entry in value] if isinstance(value, list) else value


def problem_with(path: Path) -> tuple[str | None, str]:
    """What is wrong with how a file is read (None: nothing), and its verdict."""
    try:
        parsed = parse_paths([path], LIMITS)
        written = json.dumps(parsed.to_json(), allow_nan=False, ensure_ascii=False).encode("utf-8")
    except Exception as error:
        return f"{type(error).__name__} left the parser: {error}", "raised"
    if internal := [report.reason for report in parsed.files if "internal error" in str(report.reason)]:
        return internal[0], "internal"
    if b'"edit": "requires login"' in written:
        return "the withheld-code marker became an edit", "marker"
    return None, parsed.files[0].verdict if parsed.files else "none"


def fuzz(corpus: Sequence[bytes], seeds: range, scratch: Path) -> tuple[list[str], Counter[str]]:
    """Read the mutants of some seeds; what was wrong, and how often each verdict was given."""
    problems: list[str] = []
    verdicts: Counter[str] = Counter()
    path = scratch / "input"
    for seed in seeds:
        path.write_bytes(mutant(seed, corpus))
        problem, verdict = problem_with(path)
        verdicts[verdict] += 1
        if problem:
            problems.append(f"input {seed}: {problem}")
    return problems, verdicts


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of reports to mutate as well")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="the number of the first input")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(given)


def _folders(named: Sequence[Path]) -> Iterator[Path]:
    yield ROOT / "daemon" / "demo" / "data" / "reports"
    yield from named or filter(
        Path.is_dir, [Path(os.environ.get("SECTUNE_SAMPLES", ROOT / "../shared/samples"))]
    )


def _child(arguments: argparse.Namespace) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    corpus = own_reports() + files_below(list(_folders(arguments.folders)))
    seeds = range(arguments.seed, arguments.seed + arguments.inputs)
    with tempfile.TemporaryDirectory() as scratch:
        problems, verdicts = fuzz(corpus, seeds, Path(scratch))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (
        1024 if sys.platform == "linux" else 1 << 20
    )
    lines = [*problems, f"{len(seeds)} inputs of {len(corpus)} reports: {dict(verdicts.most_common())}"]
    lines.append(f"peak memory {peak} MiB of {MAX_MEMORY >> 20} allowed, {len(problems)} problems")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if problems or peak > MAX_MEMORY >> 20 else 0


def main(given: Sequence[str]) -> int:
    """Run the child; its exit code, not 0 as well where it was killed."""
    arguments = _arguments(given)
    if arguments.child:
        return _child(arguments)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, __file__, *given, "--child"], env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
