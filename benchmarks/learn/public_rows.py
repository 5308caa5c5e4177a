"""Rows with the true columns of CrossVul and CVEfixes, each about one generated file."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.learn.flawed_files import FlawedFile, dealt, make_file
from daemon.demo.crossvul_sample import cwe_text
from daemon.demo.cvefixes_sample import COLUMNS, DISPLAY
from daemon.demo.git_show import Change, Commit, show, taken_and_given
from daemon.demo.specimen import EXTENSIONS, vocabulary

Row = dict[str, Any]
FIRST_DAY = datetime(2099, 1, 4, 9, 30, tzinfo=UTC)  # far away: nobody takes these CVEs for real ones


def crossvul_rows(count: int, seed: int) -> Iterator[Row]:
    """`count` pairs of whole files, each of a commit of its own."""
    for number, file in enumerate(_files("crossvul", count, seed)):
        yield {
            "cwe_id": file.flaw.cwe,
            "cwe_description": cwe_text(file.flaw.cwe),
            "language": file.flaw.language,
            "vulnerable_code": file.before,
            "fixed_code": file.after,
            "file_pair_id": f"{number}_0",
            "source": "crossvul",
            "language_dir": EXTENSIONS[file.flaw.language],
        }


def cvefixes_rows(count: int, seed: int) -> Iterator[Row]:
    """`count` commits, each with a CVE of its own."""
    for number, file in enumerate(_files("cvefixes", count, seed)):
        values = {**_advisory(file, number), **_project(file, number), **_diff(file, number, seed)}
        yield {column: values[column] for column in COLUMNS}


def _files(part: str, count: int, seed: int) -> Iterator[FlawedFile]:
    kinds = dealt(random.Random(f"{seed}/{part}/kinds"))
    for number in range(count):
        yield make_file(next(kinds), random.Random(f"{seed}/{part}/{number}"))


def _when(number: int) -> datetime:
    return FIRST_DAY + timedelta(hours=number)


def _advisory(file: FlawedFile, number: int) -> Row:
    name, sentence = vocabulary()["cwes"][file.flaw.cwe]
    return {
        "cve_id": f"CVE-2099-{10_000 + number}",
        "cve_description": repr([{"lang": "en", "value": sentence}]),
        "cvss2_base_score": "nan",
        "cvss3_base_score": "7.5",
        "severity": "HIGH",
        "published_date": f"{_when(number) + timedelta(days=9):%Y-%m-%dT%H:%MZ}",
        "cwe_id": file.flaw.cwe,
        "cwe_name": name,
        "cwe_description": sentence,
        "security_keywords": [],
    }


def _project(file: FlawedFile, number: int) -> Row:
    return {
        "repo_url": f"https://git.example.org/{file.stem}/{file.stem}-{number}",
        "version_tag": f"v1.{number % 20}.0",
        "repo_total_files": 40,
        "repo_total_commits": 400,
    }


def _diff(file: FlawedFile, number: int, seed: int) -> Row:
    change = Change(f"src/{file.stem}.{EXTENSIONS[file.flaw.language]}", file.before, file.after)
    when, message = _when(number), f"Close {file.flaw.cwe} in {file.stem}"
    commit = Commit(
        hash=hashlib.sha1(f"{seed}/{number}".encode()).hexdigest(),
        author="Ada Field <ada.field@example.org>",
        date=f"{when:%a %b} {when.day} {when:%H:%M:%S %Y} +0000",
        message=message,
    )
    taken, given = taken_and_given([change])
    language = file.flaw.language
    return {
        "hash": commit.hash,
        "commit_message": message,
        "commit_date": f"{when:%Y-%m-%d %H:%M:%S}+00:00",
        "file_paths": [change.path],
        "language": DISPLAY.get(language, language.capitalize()),
        "diff_stats": json.dumps(
            {"files": 1, "insertions": len(given.split("\n")), "deletions": len(taken.split("\n"))}
        ),
        "diff_with_context": show(commit, [change]),
        "vulnerable_code": taken,
        "fixed_code": given,
    }
