"""Rows of our own with the true columns and the true oddities of CrossVul."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from daemon.demo.cvefixes_sample import fixings
from daemon.demo.specimen import EXTENSIONS, Fix, Specimen, dealt_fixes, make_specimen, source, vocabulary

Row = dict[str, Any]

ROWS = 220
SHARED_FIXES = 5


def cwe_text(cwe: str) -> str:
    """CrossVul's `name - sentence`."""
    return " - ".join(vocabulary()["cwes"][cwe])


def crossvul_row(specimen: Specimen, pair: str) -> Row:
    """One row; CrossVul's folders are named after the files' extensions."""
    return {
        "cwe_id": specimen.cwe,
        "cwe_description": cwe_text(specimen.cwe),
        "language": specimen.language,
        "vulnerable_code": specimen.before,
        "fixed_code": specimen.after,
        "file_pair_id": pair,
        "source": "crossvul",
        "language_dir": EXTENSIONS[specimen.language],
    }


def shared_rows() -> Iterator[Row]:
    """The fixes of a few commits of the CVEfixes sample: the two true sets overlap as well."""
    stream = (each for each in fixings() if len(each.changes) == 1 and each.number > 10)
    for group, fixing in zip(range(9000, 9000 + SHARED_FIXES), stream, strict=False):
        yield crossvul_row(fixing.specimens[0], f"{group}_0")


def flawed_rows() -> Iterator[Row]:
    """One row for each thing that is wrong in the true set."""
    plain = [
        crossvul_row(make_specimen(fix, source("flawed", n)), f"{9100 + n}_0") for n, fix in flawed_fixes()
    ]
    identical, emptied, no_fix, repeated, test, docs = plain
    yield {**identical, "fixed_code": identical["vulnerable_code"]}
    yield {**emptied, "vulnerable_code": ""}
    yield {**no_fix, "fixed_code": ""}
    yield from (repeated, {**repeated, "file_pair_id": "9199_0"})
    yield {**test, **TEST}
    yield {**docs, **DOCS}
    yield {**docs, **MISLABELLED, "file_pair_id": "9198_0"}


def flawed_fixes() -> Iterator[tuple[int, Fix]]:
    """The fixes that `flawed_rows` spoils."""
    fixes = dealt_fixes("flawed")
    return ((number, next(fixes)) for number in range(6))


TEST_BEFORE = """import unittest

from relay import envelope


class EnvelopeTest(unittest.TestCase):
    def test_a_name_is_kept(self):
        self.assertEqual(envelope.name("a.txt"), "a.txt")

    def test_a_parent_is_refused(self):
        self.assertEqual(envelope.name("../a.txt"), "../a.txt")


if __name__ == "__main__":
    unittest.main()
"""
TEST_AFTER = TEST_BEFORE.replace(
    'envelope.name("../a.txt"), "../a.txt"', 'envelope.name("../a.txt"), "a.txt"'
)
TEST = {
    "language": "python",
    "language_dir": "py",
    "vulnerable_code": TEST_BEFORE,
    "fixed_code": TEST_AFTER,
}
DOCS_BEFORE = """# Envelope

## 2.4
- Names of envelopes may have 80 characters
- The sender is shown in the list

## 2.3
- Stamps can be printed
- Smaller pages on telephones
- Faster search

## 2.2
- First release with folders
- Help in three languages
- Keyboard shortcuts
"""
DOCS_AFTER = DOCS_BEFORE.replace("# Envelope\n", "# Envelope\n\n## 2.5\n- Security: names are escaped\n", 1)
DOCS = {
    "language": "javascript",
    "language_dir": "md",
    "vulnerable_code": DOCS_BEFORE,
    "fixed_code": DOCS_AFTER,
}
MISLABELLED = {
    "language": "php",
    "language_dir": "inc",
    "vulnerable_code": """; timer.inc: constants and macros of the timer
TIMER_SIZE      equ 32
TIMER_SHIFT     equ 5

%macro timer_slot 1
    mov     rax, %1
    shl     rax, TIMER_SHIFT
    add     rax, [rel timers]
%endmacro

%macro timer_load 2
    timer_slot %2
    mov     %1, [rax]
%endmacro

%macro timer_clear 1
    timer_slot %1
    mov     qword [rax], 0
%endmacro
""",
}
MISLABELLED["fixed_code"] = MISLABELLED["vulnerable_code"].replace(
    "    mov     rax, %1\n", "    mov     rax, %1\n    and     rax, TIMER_SIZE - 1\n", 1
)


def grouped_rows(count: int) -> Iterator[Row]:
    """The sound rows: groups of one to three files of one commit, `12_0`, `12_1`."""
    fixes = dealt_fixes("crossvul")
    made = group = 0
    while made < count:
        rng = source("crossvul", group)
        fix = next(fixes)
        for index in range(min(rng.choice((1, 1, 1, 2, 3)), count - made)):
            yield crossvul_row(make_specimen(fix, rng), f"{group}_{index}")
            made += 1
        group += 1


def crossvul_rows() -> Iterator[Row]:
    """The CrossVul sample: sound rows, rows shared with CVEfixes, and flawed rows, shuffled."""
    special = [*shared_rows(), *flawed_rows()]
    rows = [*grouped_rows(ROWS - len(special)), *special]
    source("order", 0).shuffle(rows)
    yield from rows
