"""Rows of our own with the true columns and the true oddities of CVEfixes."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.demo.git_show import Change, Commit, show, taken_and_given
from daemon.demo.specimen import (
    EXTENSIONS,
    SEED,
    Fix,
    Specimen,
    dealt_fixes,
    make_specimen,
    source,
    vocabulary,
)

Row = dict[str, Any]

COLUMNS = (
    "cve_id",
    "hash",
    "repo_url",
    "cve_description",
    "cvss2_base_score",
    "cvss3_base_score",
    "published_date",
    "severity",
    "cwe_id",
    "cwe_name",
    "cwe_description",
    "commit_message",
    "commit_date",
    "version_tag",
    "repo_total_files",
    "repo_total_commits",
    "file_paths",
    "language",
    "diff_stats",
    "diff_with_context",
    "vulnerable_code",
    "fixed_code",
    "security_keywords",
)
ROWS = 160
REORDERED = 10  # the commit whose two sides are the same lines
BARE_MERGE = 33  # the merge that shows no differences
FIRST_DAY = datetime(2099, 1, 4, 9, 30, tzinfo=UTC)  # far away: nobody takes these CVEs for real ones

DISPLAY = {"javascript": "JavaScript", "php": "PHP"}
FOLDERS = ("src", "lib", "app", "server", "core")
SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
SCORES = {"LOW": "3.1", "MEDIUM": "5.9", "HIGH": "7.5", "CRITICAL": "9.1"}
SECOND_CWE = {
    "CWE-89": "CWE-564",
    "CWE-79": "CWE-80",
    "CWE-22": "CWE-73",
    "CWE-78": "CWE-88",
    "CWE-502": "CWE-20",
}


@dataclass(frozen=True)
class Fixing:
    """One commit of the CVEfixes sample: the files that it fixes and whatever else it touches."""

    number: int
    specimens: tuple[Specimen, ...]
    changes: tuple[Change, ...]


def source_path(specimen: Specimen, rng: random.Random) -> str:
    """A likely place of a file in its repository."""
    return f"{rng.choice(FOLDERS)}/{specimen.noun}s/{specimen.noun}.{EXTENSIONS[specimen.language]}"


def companions(specimen: Specimen, number: int) -> list[Change]:
    """What real fixes also touch and what no example may be made of: changelogs, tests, lock files."""
    old = f"# Changes\n\n## 1.{number}\n- Faster {specimen.noun}s\n"
    new = old.replace("# Changes\n", f"# Changes\n\n## 1.{number + 1}\n- Security: {specimen.subject}\n", 1)
    lock = '{{\n  "name": "demo",\n  "lockfileVersion": 3,\n  "version": "1.{}.0"\n}}\n'
    name = f"test_{specimen.noun}"
    test = f"import app\n\n\ndef {name}_is_safe():\n    assert app.{specimen.noun}.safe()\n"
    by_turn = {
        0: [Change("CHANGELOG.md", old, new)],
        4: [Change(f"tests/{name}.py", None, test)],
        8: [Change("package-lock.json", lock.format(number), lock.format(number + 1))],
    }
    return by_turn.get(number % 12, [])


def reordered(specimen: Specimen) -> Specimen:
    """The same file with two imports in another order: all `-` lines together equal all `+` lines."""
    after = specimen.before.replace("import logging\nimport os\n", "import os\nimport logging\n", 1)
    return replace(specimen, after=after, subject=f"sort the imports of the {specimen.noun}")


def make_fixing(number: int, fixes: Iterator[Fix]) -> Fixing:
    """The commit of one number; every fifth fixes two files."""
    rng = source("cvefixes", number)
    fix = next(fixes)
    specimens = [make_specimen(fix, rng)]
    if number % 5 == 3:
        others = (make_specimen(fix, rng) for _ in itertools.count())
        specimens.append(next(each for each in others if each.noun != specimens[0].noun))
    if number == REORDERED:
        specimens = [reordered(make_specimen(next(each for each in fixes if each.language == "python"), rng))]
    changes = [Change(source_path(each, rng), each.before, each.after) for each in specimens]
    return Fixing(number, tuple(specimens), (*changes, *companions(specimens[0], number)))


def commit_of(fixing: Fixing) -> Commit:
    """The commit's header; two of the sample are merges, of which one has no differences of its own."""
    rng = source("commit", fixing.number)
    author = rng.choice(vocabulary()["people"])
    when = FIRST_DAY + timedelta(hours=17 * fixing.number)
    names = [
        hashlib.sha1(f"{SEED}/{fixing.number}/{part}".encode()).hexdigest() for part in ("self", "a", "b")
    ]
    return Commit(
        hash=names[0],
        author=f"{author} <{author.lower().replace(' ', '.')}@example.org>",
        date=f"{when:%a %b} {when.day} {when:%H:%M:%S %Y} +0000",
        message=commit_message(fixing),
        parents=tuple(names[1:]) if is_merge(fixing) else (),
    )


def is_merge(fixing: Fixing) -> bool:
    """Whether this commit is one of the merges."""
    return fixing.number % 70 == 33


def commit_message(fixing: Fixing) -> str:
    """Subject and, now and then, a body."""
    subject = fixing.specimens[0].subject
    if is_merge(fixing):
        return f"Merge branch 'fix-{fixing.specimens[0].noun}'"
    body = f"\n\nFound by an audit of the {fixing.specimens[0].noun} code." if fixing.number % 3 == 0 else ""
    return subject[:1].upper() + subject[1:] + body


def cve_number(fixing: Fixing) -> str:
    """A CVE that cannot exist; every ninth commit belongs to the CVE of the commit before it."""
    number = fixing.number - 1 if fixing.number % 9 == 8 else fixing.number
    return f"CVE-2099-{1000 + number}"


def cve_text(fixing: Fixing) -> str:
    """The Python repr of a list of dicts, as the true column holds it, now and then in two languages."""
    first = fixing.specimens[0]
    sentence = vocabulary()["cwes"][first.cwe][1]
    english = f"The {first.noun} component of the demo project doesn't {first.subject}. {sentence}"
    texts = [{"lang": "en", "value": english}]
    if fixing.number % 7 == 0:
        texts.insert(0, {"lang": "es", "value": f"Descripción de muestra del componente {first.noun}."})
    return repr(texts)


def cwes_of(fixing: Fixing) -> list[str | None]:
    """The weaknesses of a commit, one row each: mostly one, at a low rate two, none or an unknown one."""
    cwe = fixing.specimens[0].cwe
    if fixing.number % 40 == 6:
        return [None]
    if fixing.number % 40 == 26:
        return ["NVD-CWE-noinfo"]
    if fixing.number % 12 == 7 and cwe in SECOND_CWE:
        return [cwe, SECOND_CWE[cwe]]
    return [cwe]


def project_columns(fixing: Fixing) -> Row:
    """The columns about the repository."""
    rng = source("project", fixing.number)
    words = vocabulary()["words"]
    return {
        "repo_url": f"https://git.example.org/{rng.choice(words['word'])}/{fixing.specimens[0].noun}-demo",
        "version_tag": f"v1.{fixing.number % 20}.{rng.randint(0, 9)}",
        "repo_total_files": rng.randint(20, 900),
        "repo_total_commits": rng.randint(50, 4000),
    }


def severity_columns(fixing: Fixing) -> Row:
    """Scores and severity; a row in six has the text "nan" for all."""
    severity = source("severity", fixing.number).choice(SEVERITIES)
    known = fixing.number % 6 != 1
    return {
        "cvss2_base_score": "nan",
        "cvss3_base_score": SCORES[severity] if known else "nan",
        "severity": severity if known else "nan",
    }


def diff_columns(fixing: Fixing) -> Row:
    """The columns made of the commit's differences."""
    changes = [] if fixing.number == BARE_MERGE else list(fixing.changes)
    taken, given = taken_and_given(changes)
    stats = {"files": len(changes), "insertions": count_lines(given), "deletions": count_lines(taken)}
    language = fixing.specimens[0].language
    return {
        "file_paths": [change.path for change in changes],
        "language": DISPLAY.get(language, language.capitalize()),
        "diff_stats": json.dumps(stats),
        "diff_with_context": show(commit_of(fixing), changes),
        "vulnerable_code": taken,
        "fixed_code": given,
    }


def count_lines(text: str) -> int:
    """The number of lines of a joined text."""
    return len(text.split("\n")) if text else 0


def cvefixes_row(fixing: Fixing, cwe: str | None) -> Row:
    """One row, its columns in the set's own order."""
    commit = commit_of(fixing)
    when = FIRST_DAY + timedelta(hours=17 * fixing.number)
    name, sentence = vocabulary()["cwes"].get(cwe, ("", ""))
    values = {
        "cve_id": cve_number(fixing),
        "hash": commit.hash,
        "cve_description": cve_text(fixing),
        "published_date": f"{when + timedelta(days=9):%Y-%m-%dT%H:%MZ}",
        "cwe_id": cwe,
        "cwe_name": name,
        "cwe_description": sentence,
        "commit_message": commit.message,
        "commit_date": f"{when:%Y-%m-%d %H:%M:%S}+00:00",
        "security_keywords": re.findall(
            r"bind|escape|check|compare|token|shell|cookie|sign", commit.message.lower()
        ),
        **project_columns(fixing),
        **severity_columns(fixing),
        **diff_columns(fixing),
    }
    return {column: values[column] for column in COLUMNS}


def fixings() -> Iterator[Fixing]:
    """Every commit of the CVEfixes sample, without end."""
    fixes = dealt_fixes("cvefixes")
    number = 0
    while True:
        yield make_fixing(number, fixes)
        number += 1


def cvefixes_rows() -> Iterator[Row]:
    """The CVEfixes sample."""
    made = 0
    for fixing in fixings():
        for cwe in cwes_of(fixing):
            if made == ROWS:
                return
            yield cvefixes_row(fixing, cwe)
            made += 1
