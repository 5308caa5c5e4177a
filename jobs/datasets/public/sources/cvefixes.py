"""CVEfixes: fixing commits of CVEs; before and after are rebuilt per file and hunk from `diff_with_context`.

`vulnerable_code` and `fixed_code` of this set are only the concatenated removed and added lines of the whole
commit, so they are not read. A CVE with several CWEs, or a commit with several CVEs, has several rows: they
are told apart from new changes by their key (repository, hash, file, position).
"""

from __future__ import annotations

import ast
import re
from typing import Any

from jobs.datasets.examples.diff import (
    ChangeGroup,
    FileDiff,
    TornDiff,
    groups_of_file,
    is_combined,
    parse_diff,
)
from jobs.datasets.examples.drop_reasons import Drops
from jobs.datasets.examples.languages import language_of_name, language_of_path
from jobs.datasets.examples.paths import file_refusal
from jobs.datasets.public.candidate import Candidate, SourceReader, cwe_ids, text_of
from jobs.datasets.public.content import is_minified

ATTRIBUTION = "CVEfixes (Bhandari, Naseer, Moonen, PROMISE 2021), CC BY 4.0"
_LONGEST_DIFF = 2_000_000  # characters; one field of the set reaches 55 MB
# A fix that is spread wider than this is mixed with other work.
_MOST_FILES = 10
_MOST_CHANGED_LINES = 500
_MERGE = re.compile(
    r"^\s*Merge (?:pull request|branch|remote-tracking branch|tag|commit|.+ into )", re.IGNORECASE
)


def candidates(row: dict[str, Any], context: int, drops: Drops) -> list[Candidate]:
    """One candidate for each group of changes in each code file of the commit."""
    diff = text_of(row, "diff_with_context")
    reason = _row_refusal(diff, text_of(row, "commit_message"))
    if reason is not None:
        drops.add(reason)
        return []
    try:
        files = parse_diff(diff)
    except TornDiff:
        drops.add("torn_diff")
        return []
    return _of_files(row, _code_files(files, drops), context, drops)


def _row_refusal(diff: str, commit_message: str) -> str | None:
    if not diff.strip():
        return "no_diff"
    if len(diff) > _LONGEST_DIFF:
        return "huge_commit"
    if _MERGE.match(commit_message) or is_combined(diff):
        return "merge_commit"
    return None


def _code_files(files: list[FileDiff], drops: Drops) -> list[FileDiff]:
    kept = []
    for file in files:
        reason = _file_refusal(file)
        if reason is None:
            kept.append(file)
        else:
            drops.add(reason)
    return kept


def _file_refusal(file: FileDiff) -> str | None:
    if file.binary:
        return "binary_file"
    reason = file_refusal(file.after_path)
    if reason is not None:
        return reason
    if file.one_sided:
        return "added_or_deleted_file"
    if any(is_minified("\n".join(hunk.lines)) for hunk in file.hunks if hunk.lines):
        return "minified"
    return None


def _of_files(row: dict[str, Any], files: list[FileDiff], context: int, drops: Drops) -> list[Candidate]:
    found = [(file, group) for file in files for group in groups_of_file(file, context)]
    if len(files) > _MOST_FILES or sum(len(group.changed_lines) for _, group in found) > _MOST_CHANGED_LINES:
        drops.add("huge_commit")
        return []
    return [_candidate(row, file, group, len(found)) for file, group in found]


def _candidate(row: dict[str, Any], file: FileDiff, group: ChangeGroup, count: int) -> Candidate:
    repository, commit, cve = (text_of(row, name) for name in ("repo_url", "hash", "cve_id"))
    name = text_of(row, "cwe_name").strip()
    groups = [f"commit:{commit}"] if commit else []
    return Candidate(
        source=SOURCE.name,
        key="|".join((repository, commit, file.after_path, str(group.start_line))),
        group=group,
        language=language_of_path(file.after_path) or language_of_name(text_of(row, "language")),
        cwes=tuple((identifier, name) for identifier in cwe_ids(text_of(row, "cwe_id"))),
        description=description_of(row.get("cve_description")) or None,
        groups=(*groups, *([f"cve:{cve}"] if cve else [])),
        whole_fix=count == 1,
        provenance=f"{repository}@{commit}",
        attribution=ATTRIBUTION,
    )


def description_of(value: Any) -> str:
    """The English text of `cve_description`, which is the Python repr of a list of {lang, value} dicts.

    Text that is no such repr is taken as it stands.
    """
    items = value
    if isinstance(value, str):
        try:
            items = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return "" if value.lstrip().startswith("[{") else text_of({"value": value}, "value")
    if not isinstance(items, list):
        return ""
    texts = [(item.get("lang"), text_of(item, "value")) for item in items if isinstance(item, dict)]
    return next((text for language, text in texts if language == "en"), "")


SOURCE = SourceReader(
    name="cvefixes",
    title="CVEfixes",
    columns=(("cve_id",), ("hash",), ("repo_url",), ("cwe_id",), ("diff_with_context",)),
    candidates=candidates,
    licence="apache-2.0 (dataset card); CC BY 4.0 (CVEfixes itself)",
    attribution=ATTRIBUTION,
    more_columns=("cve_description", "cwe_name", "language", "commit_message"),
)
