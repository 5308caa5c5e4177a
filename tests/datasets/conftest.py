"""Fixtures: a tiny tokenizer with a ChatML template, and rows in the public sets' true columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.datasets.public.source import Source
from jobs.datasets.request import Stage1Request, Stage2Request
from jobs.findings.model.finding import Finding, Fix, Location, Package

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "frost",
    "grove",
    "haven",
    "iris",
    "jade",
    "koral",
    "linden",
]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE tokenizer trained on a few lines; every text has tokens, none is unknown."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([*WORDS, "return value", "Fix the vulnerability in this code."], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = CHATML
    folder = tmp_path_factory.mktemp("tokenizer")
    fast.save_pretrained(str(folder))
    return folder


def silent(_phase: str, _done: int, _total: int | None) -> None:
    """A report that nobody reads."""


def crossvul_row(number: int, **changes: Any) -> dict[str, Any]:
    """A row of our own making in CrossVul's columns: a PHP file of which one line is wrong."""
    word = WORDS[number % len(WORDS)]
    body = [f"    $note_{word}_{number}_{line} = load_{word}('{line}_{number * 7}');" for line in range(14)]
    wrong = [*body[:7], f"    echo $_GET['{word}{number}'];", *body[7:]]
    right = [*body[:7], f"    echo htmlspecialchars($_GET['{word}{number}'], ENT_QUOTES);", *body[7:]]
    head = ["<?php", f"function show_{word}_{number}()", "{"]
    return {
        "cwe_id": "CWE-79",
        "cwe_description": "Cross-site Scripting - The product does not neutralize input placed in a page.",
        "language": "php",
        "vulnerable_code": "\n".join([*head, *wrong, "}"]),
        "fixed_code": "\n".join([*head, *right, "}"]),
        "file_pair_id": f"{number}_0",
        "source": "crossvul",
        "language_dir": "php",
        **changes,
    }


def git_diff(path: str, number: int, *, section: str = "") -> str:
    """`git show -U5` of one changed line in one Python file."""
    word = WORDS[number % len(WORDS)]
    lines = [
        f"    {word}_{number}_{at} = read_{word}({at + number * 11}, key='{word}{at}')" for at in range(10)
    ]
    return "\n".join(
        [
            f"diff --git a/{path} b/{path}",
            "index 1111111..2222222 100644",
            f"--- a/{path}",
            f"+++ b/{path}",
            f"@@ -{20 + number},11 +{20 + number},12 @@ {section}".rstrip(),
            *(f" {line}" for line in lines[:5]),
            f"-    cursor.execute('select ' + {word}_{number})",
            f"+    statement = 'select ?'  # {number}",
            f"+    cursor.execute(statement, ({word}_{number},))",
            *(f" {line}" for line in lines[5:]),
        ]
    )


def cvefixes_row(number: int, **changes: Any) -> dict[str, Any]:
    """A row of our own making in CVEfixes' columns, with the set's oddities as they are."""
    return {
        "cve_id": f"CVE-2031-{10000 + number}",
        "hash": f"{number:040x}",
        "repo_url": f"https://example.invalid/shop-{number}",
        "cve_description": str(
            [
                {"lang": "es", "value": "Una consulta."},
                {"lang": "en", "value": f"A query of shop {number} is built from input."},
            ]
        ),
        "cvss2_base_score": 7.5,
        "cvss3_base_score": None,
        "published_date": "2031-01-02",
        "severity": "nan",
        "cwe_id": "CWE-89",
        "cwe_name": "SQL Injection",
        "cwe_description": "The product builds a query from input.",
        "commit_message": f"Bind parameters in shop {number}",
        "commit_date": "2031-01-01",
        "version_tag": None,
        "repo_total_files": 12,
        "repo_total_commits": 40,
        "file_paths": [f"shop/query_{number}.py"],
        "language": "Python",
        "diff_stats": "{}",
        "diff_with_context": git_diff(
            f"shop/query_{number}.py", number, section=f"def find_{number}(cursor):"
        ),
        "vulnerable_code": "only the removed lines",
        "fixed_code": "only the added lines",
        "security_keywords": ["sql"],
        **changes,
    }


def write_lines(path: Path, rows: list[Any]) -> Path:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read_lines(path: Path) -> list[Any]:
    """Read JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def upgrade(name: str, fixed: str, *, advisory: str = "", **package: Any) -> Finding:
    """A Trivy upgrade; 1.0.0 is installed from a requirements.txt unless told otherwise."""
    facts = {"version": "1.0.0", "ecosystem": "pypi", "manifest": "requirements.txt", **package}
    rule = advisory or f"CVE-2031-{sum(map(ord, name)):05d}"
    return Finding(
        fingerprint=f"{name}-{rule}",
        tool="trivy",
        format="json",
        rule=rule,
        title=f"{name}: a flaw",
        package=Package(name=name, **facts),
        fix=Fix(provenance="version", version=fixed),
    )


def edit_finding(number: int, **changes: Any) -> Finding:
    """A Semgrep finding whose edit replaces one call in the middle of its line."""
    word = WORDS[number % len(WORDS)]
    text = f"    digest_{word}_{number} = hashlib.md5(secret_{word})"
    start = text.index("hashlib") + 1
    location = Location(
        path=f"app/{word}.py",
        start_line=number + 2,
        end_line=number + 2,
        start_column=start,
        end_column=start + len("hashlib.md5"),
        snippet=((number + 1, f"def token_{word}_{number}(secret_{word}):"), (number + 2, text)),
    )
    facts: dict[str, Any] = {
        "fingerprint": f"edit-{number}",
        "tool": "semgrep",
        "format": "json",
        "rule": "python.lang.security.weak-digest",
        "title": "Weak digest",
        "message": "MD5 is broken. Use hashlib.sha256.",
        "cwes": ("CWE-327",),
        "location": location,
        "fix": Fix(provenance="edit_tool", edit="hashlib.sha256"),
    }
    return Finding(**{**facts, **changes})


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The makers of rows, diffs and findings, since test modules cannot import each other."""
    makers = (silent, crossvul_row, git_diff, cvefixes_row, write_lines, read_lines, upgrade, edit_finding)
    return SimpleNamespace(words=WORDS, **{maker.__name__: maker for maker in makers})


@pytest.fixture
def stage1(tmp_path: Path, tokenizer: Path) -> Callable[..., Stage1Request]:
    """Makes a stage 1 request over rows of both sources."""

    def make(crossvul: list[Any], cvefixes: list[Any], **changes: Any) -> Stage1Request:
        sources = (
            Source("crossvul", str(write_lines(tmp_path / "crossvul/train.jsonl", crossvul).parent)),
            Source("cvefixes", str(write_lines(tmp_path / "cvefixes/train.jsonl", cvefixes).parent)),
        )
        values: dict[str, Any] = {
            "out": tmp_path / "stage1" / "training-data",
            "tokenizer": tokenizer,
            "max_seq_length": 2048,
            "seed": 7,
            "valid_fraction": 0.1,
            "test_fraction": 0.1,
            "quality_weight_multiplier": 2.5,
            "context_lines": 4,
            "sources": sources,
        }
        return Stage1Request(**{**values, **changes})

    return make


@pytest.fixture
def stage2(tmp_path: Path, tokenizer: Path) -> Callable[..., Stage2Request]:
    """Makes a stage 2 request over findings, with a train.jsonl of stage 1 to replay from."""

    def make(findings: list[Any], replay_from: Path, **changes: Any) -> Stage2Request:
        rows = [finding.to_json() if isinstance(finding, Finding) else finding for finding in findings]
        values: dict[str, Any] = {
            "out": tmp_path / "stage2" / "training-data",
            "tokenizer": tokenizer,
            "max_seq_length": 1024,
            "seed": 7,
            "valid_fraction": 0.1,
            "test_fraction": 0.1,
            "quality_weight_multiplier": 2.5,
            "findings": write_lines(tmp_path / "findings.jsonl", rows),
            "replay_from": replay_from,
            "replay_ratio": 0.15,
            "domain": "webauthn",
        }
        return Stage2Request(**{**values, **changes})

    return make
