"""Public rows of our own making, in the two public sets' columns, at any scale, and a tokenizer for them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CROSSVUL_ROWS, CVEFIXES_ROWS = 9_313, 12_987  # the true sets'

Row = dict[str, Any]
SHARDS = 3
ROW_GROUP = 1_000  # rows: what `datasets` writes
HUGE = 50_000_000  # characters
CWES = (
    ("CWE-79", "Cross-site Scripting"),
    ("CWE-89", "SQL Injection"),
    ("CWE-22", "Path Traversal"),
    ("CWE-787", "Out-of-bounds Write"),
    ("CWE-20", "Improper Input Validation"),
)
LANGUAGES = (("c", "C"), ("js", "JavaScript"), ("java", "Java"), ("go", "Go"), ("ts", "TypeScript"))
# What opens a function in each of them; what stands in it parses in all.
OPENING = {
    "c": "int {}(int a, int b) {{",
    "js": "function {}(a, b) {{",
    "java": "class A {{ int {}(int a, int b) {{",
    "go": "package a\n\nfunc {}(a int, b int) int {{",
    "ts": "function {}(a: number, b: number) {{",
}
Shared = tuple[list[str], list[str], list[str], list[str]]  # above, removed, added, below
SYLLABLES = [
    "ba",
    "co",
    "di",
    "fu",
    "ga",
    "he",
    "jo",
    "ka",
    "li",
    "mo",
    "ne",
    "pa",
    "qui",
    "ro",
    "sa",
    "te",
    "vu",
    "wi",
    "xo",
    "zy",
]


class Source:
    """Code that nobody wrote: lines of random names, alike in length and shape to real ones."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.names = [
            "".join(self.chance.choices(SYLLABLES, k=self.chance.randint(2, 4))) for _ in range(3000)
        ]

    def line(self) -> str:
        """One line of code."""
        a, b, c, d = self.chance.choices(self.names, k=4)
        number = self.chance.randint(0, 9999)
        shapes = (
            f"    {a}_{b} = {c}.{d}({a}, {number});",
            f"    {a}({b}, {c}[{number}]);",
            f'    {a}_{b} = {c}({d}, "{c} {d}");',
            f"    // {a} {b} {c} {d}",
            f"    {a}[{number}] = {b} + {c}_{d};",
            f'    {a}.{b}("{c}-{d}", {number});',
        )
        return shapes[number % len(shapes)]

    def lines(self, count: int) -> list[str]:
        """Some lines of code."""
        return [self.line() for _ in range(count)]

    def heavy(self, median: float, spread: float, most: int) -> int:
        """A length with a heavy tail (log-normal)."""
        return max(1, min(most, round(median * self.chance.lognormvariate(0, spread))))

    def change(self) -> tuple[list[str], list[str]]:
        """What is removed and what stands in its place."""
        removed = self.lines(self.heavy(2, 0.9, 60))
        added = [f"{line} // {self.chance.choice(self.names)}" for line in removed]
        return removed, added + self.lines(self.heavy(2, 0.8, 40))

    def shared(self) -> Shared:
        """A change with the lines around it, as both sources have it."""
        return (self.lines(5), *self.change(), self.lines(5))


def crossvul_rows(source: Source, count: int, shared: list[Shared]) -> Iterator[Row]:
    """Whole files; every fiftieth row is of a commit that CVEfixes has as well."""
    for number in range(count):
        cwe, name = source.chance.choice(CWES)
        suffix, _ = source.chance.choice(LANGUAGES)
        taken = shared[number // 50 % len(shared)] if number % 50 == 0 else None
        before, after = _file_pair(source, suffix, taken)
        if number % 97 == 3:
            after = before
        yield {
            "cwe_id": None if number % 211 == 5 else cwe,
            "cwe_description": f"{name} - The product does not neutralize what it is given.",
            "language": suffix,
            "vulnerable_code": None if number % 301 == 7 else before,
            "fixed_code": after,
            "file_pair_id": f"{number // 3}_{number % 3}",
            "source": "crossvul",
            "language_dir": suffix,
        }


def _file_pair(source: Source, suffix: str, shared: Shared | None) -> tuple[str, str]:
    """Functions of forty lines on average, some of them with a change."""
    before: list[str] = []
    after: list[str] = []
    size = source.heavy(180, 1.1, 9_000)
    changes = source.heavy(1.6, 0.8, 12)
    for number in range(changes):
        for _ in range(max(size // changes // 40, 1)):
            _open(source, suffix, before, after)
            unchanged = source.lines(source.heavy(16, 0.6, 200))
            before += unchanged
            after += unchanged
        above, removed, added, below = shared if shared is not None and number == 0 else source.shared()
        before += [*above, *removed, *below]
        after += [*above, *added, *below]
    end = ["}}" if suffix == "java" else "}"]
    return "\n".join([*before, *end]), "\n".join([*after, *end])


def _open(source: Source, suffix: str, *sides: list[str]) -> None:
    """End the function before and open another one."""
    line = OPENING[suffix].format(source.chance.choice(source.names))
    for side in sides:
        side += ["}}" if suffix == "java" else "}", "", line.split("\n")[-1]] if side else line.split("\n")


def cvefixes_rows(source: Source, count: int, shared: list[Shared]) -> Iterator[Row]:
    """Commits; some rows repeat a commit with another CWE, one holds a field of 50 MB."""
    last: Row | None = None
    for number in range(count):
        if last is not None and number % 11 == 0:
            cwe, name = source.chance.choice(CWES)
            yield {**last, "cwe_id": cwe, "cwe_name": name}
            continue
        taken = shared[number // 40] if number % 40 == 1 and number // 40 < len(shared) else None
        last = _commit(source, number, taken)
        if number == count // 2:
            text = "\n".join(source.lines(4_000))
            last["vulnerable_code"] = (text * (HUGE // len(text) + 1))[:HUGE]
        yield last


def _commit(source: Source, number: int, shared: Shared | None) -> Row:
    suffix, language = source.chance.choice(LANGUAGES)
    folders = source.chance.choices(("tests", "lib"), (1, 4), k=source.heavy(1.7, 1.0, 60))
    paths = [
        f"{folder}/{source.chance.choice(source.names)}_{part}.{suffix}"
        for part, folder in enumerate(folders)
    ]
    removed: list[str] = []
    added: list[str] = []
    diff = [f"commit {number:040x}", ""]
    for path in paths:
        diff += _file_diff(source, path, shared, removed, added)
    cwe, name = source.chance.choice(CWES)
    return {
        "cve_id": f"CVE-2031-{10_000 + number}",
        "hash": f"{number:040x}",
        "repo_url": f"https://example.invalid/{source.chance.choice(source.names)}",
        "cve_description": str(
            [{"lang": "en", "value": " ".join(source.chance.choices(source.names, k=40))}]
        ),
        "cvss2_base_score": 7.5,
        "cvss3_base_score": None,
        "published_date": "2031-01-02",
        "severity": "nan",
        "cwe_id": (None, "NVD-CWE-noinfo", cwe)[min(number % 12, 2)],
        "cwe_name": name,
        "cwe_description": "The product does not neutralize what it is given.",
        "commit_message": f"Merge branch '{number}'" if number % 53 == 0 else f"Fix {number}",
        "commit_date": "2031-01-01",
        "version_tag": None,
        "repo_total_files": 12,
        "repo_total_commits": 40,
        "file_paths": paths,
        "language": language,
        "diff_stats": "{}",
        "diff_with_context": "\n".join(diff),
        "vulnerable_code": "\n".join(removed),
        "fixed_code": "\n".join(added),
        "security_keywords": ["overflow"],
    }


def _file_diff(
    source: Source,
    path: str,
    shared: Shared | None,
    all_removed: list[str],
    all_added: list[str],
) -> list[str]:
    diff = [
        f"diff --git a/{path} b/{path}",
        "index 1111111..2222222 100644",
        f"--- a/{path}",
        f"+++ b/{path}",
    ]
    for hunk in range(source.heavy(1.8, 1.0, 80)):
        above, removed, added, below = shared if shared is not None and hunk == 0 else source.shared()
        start, length = 1 + 200 * hunk, 10 + len(removed)
        diff.append(
            f"@@ -{start},{length} +{start},{10 + len(added)} @@ int {source.chance.choice(source.names)}(a)"
        )
        diff += [f" {line}" for line in above] + [f"-{line}" for line in removed]
        diff += [f"+{line}" for line in added] + [f" {line}" for line in below]
        all_removed += removed
        all_added += added
    return diff


def generate(folder: Path, scale: float) -> None:
    """Write both sources (CrossVul as JSON lines, CVEfixes as parquet shards) and a tokenizer."""
    source = Source(seed=7)
    shared = [source.shared() for _ in range(max(1, round(150 * scale)))]
    path = folder / "crossvul" / "train.jsonl"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as stream:
        for row in crossvul_rows(source, max(10, round(CROSSVUL_ROWS * scale)), shared):
            stream.write(json.dumps(row) + "\n")
    _write_shards(folder / "cvefixes" / "data", source, max(10, round(CVEFIXES_ROWS * scale)), shared)
    _write_tokenizer(folder / "tokenizer", source)


def _write_shards(folder: Path, source: Source, count: int, shared: list[Shared]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    rows = cvefixes_rows(source, count, shared)
    schema = pa.schema([pa.field(name, _kind(name)) for name in _commit(Source(1), 1, None)])
    for shard in range(SHARDS):
        left = count * (shard + 1) // SHARDS - count * shard // SHARDS
        with pq.ParquetWriter(folder / f"train-{shard:05d}-of-{SHARDS:05d}.parquet", schema) as writer:
            while left:
                size = min(left, ROW_GROUP)
                group = [next(rows) for _ in range(size)]
                writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=ROW_GROUP)
                left -= size


def _kind(name: str) -> Any:
    import pyarrow as pa

    if name in ("file_paths", "security_keywords"):
        return pa.list_(pa.string())
    if name.endswith("_score"):
        return pa.float64()
    return pa.int64() if name.startswith("repo_total") else pa.string()


def _write_tokenizer(folder: Path, source: Source) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=8_000,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(source.lines(20_000), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>")
    fast.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    fast.save_pretrained(str(folder))
