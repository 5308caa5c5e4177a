"""Why something was left out of a dataset: one name and one sentence each, and what is counted by it.

This module imports nothing heavy, so that tables and pages can print the sentences.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

Unit = Literal["row", "file", "window", "example", "finding"]

DROP_REASONS: dict[str, tuple[Unit, str]] = {
    "malformed_row": ("row", "The line is not a JSON object."),
    "no_code": ("row", "One of the two sides is missing or empty."),
    "identical_sides": ("row", "The vulnerable and the fixed code are the same."),
    "no_diff": ("row", "There is no diff to rebuild the two sides from."),
    "torn_diff": ("row", "The diff ends in the middle of a hunk."),
    "merge_commit": ("row", "The commit is a merge: its diff is not one fix."),
    "huge_commit": ("row", "The commit changes too much to be one fix."),
    "huge_file": ("row", "The file pair is too large or too different to compare."),
    "documentation": ("file", "It is documentation or plain text, not code."),
    "test_code": ("file", "It is a test, not the code that was fixed."),
    "changelog": ("file", "It is a change log."),
    "lock_file": ("file", "It is a lock file, written by a tool."),
    "minified": ("file", "The code is minified."),
    "generated": ("file", "The code is generated."),
    "added_or_deleted_file": ("file", "The file exists on one side only."),
    "binary_file": ("file", "The file is binary."),
    "not_code": ("file", "The file's kind is none that code is written in."),
    "no_op": ("window", "The fixed code equals its input, white space aside."),
    "empty_side": ("window", "One side of the change is empty, so the prompt does not determine the answer."),
    "imports_only": ("window", "The change only imports what another part of the fix uses."),
    "holds_a_fence": ("window", "The code itself holds a Markdown fence."),
    "answer_holds_todo": ("window", "The fixed code leaves work to do (TODO, FIXME)."),
    "answer_names_a_cve": ("window", "The fixed code names a CVE, which the prompt cannot determine."),
    "merged_with_same_change": ("window", "The same change stood in another row; their CWEs were joined."),
    "fix_does_not_parse": ("window", "The fixed code has more syntax faults than its input."),
    "restates_prompt": ("window", "The answer says again what the prompt says."),
    "too_long": ("window", "Prompt and whole answer do not fit max_seq_length, even without context."),
    "duplicate": ("example", "The same change is already there, from this or another source."),
    "near_duplicate": ("example", "Another source already has nearly the same code."),
    "another_fix_for_the_same_code": ("example", "The same code already has a different fix."),
    "secret_only_in_answer": ("example", "The answer holds a secret that its prompt does not."),
    "stands_in_stage1_train": ("example", "Stage 1 has trained on it or on its near-duplicate."),
    "stands_in_stage1_test": ("example", "Stage 1 is measured by it or by its near-duplicate."),
    "malformed_finding": ("finding", "The line is not a finding."),
    "suppressed": ("finding", "The finding was suppressed by its owner."),
    "secret": ("finding", "The finding is about a secret, which must never reach training data."),
    "advice_only": ("finding", "There is advice but no exact fix."),
    "link_only": ("finding", "There is a link but no exact fix."),
    "untrusted_edit": ("finding", "The proposed edit cannot be trusted to be exact."),
    "no_fix": ("finding", "No fix is known."),
    "no_snippet": ("finding", "The report does not hold the code that the edit applies to."),
    "no_position": ("finding", "The edit's start and end columns are unknown."),
    "edit_outside_snippet": ("finding", "The edit's position lies outside the reported code."),
    "fix_not_applicable": ("finding", "Its true fix is known, but the reported code does not allow it."),
    "no_package": ("finding", "The package's name or one of its versions is missing or cannot be written."),
    "undetermined_version": ("finding", "The fixed versions do not single out the one to upgrade to."),
    "no_manifest_syntax": ("finding", "No manifest syntax is known for the package's ecosystem."),
}


class Drops:
    """Counts of what was left out, by reason.

    Raises (from `add`):
        KeyError: The reason is not in DROP_REASONS.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, reason: str, count: int = 1) -> None:
        """Count one more (or several) for a reason that is in the table."""
        DROP_REASONS[reason]
        self._counts[reason] += count

    def to_json(self) -> dict[str, int]:
        """Count by reason, in the order of the reasons' names."""
        return dict(sorted(self._counts.items()))


def total_drops(each: list[dict[str, int]]) -> dict[str, int]:
    """The sum of several counts by reason."""
    total: Counter[str] = Counter()
    for counts in each:
        total.update(counts)
    return dict(sorted(total.items()))
