"""CrossVul: pairs of whole files before and after a fix (`vulnerable_code`, `fixed_code`).

The set tells no path, so tests and documentation are told by their content, and `.inc` files that are
labelled PHP without being PHP lose the label. `file_pair_id` is "<commit group>_<file>": files of one
commit stay together.
"""

from __future__ import annotations

import hashlib
from typing import Any

from jobs.datasets.examples import syntax
from jobs.datasets.examples.diff import ChangeGroup, TooDifferent, code_lines, groups_of_pair
from jobs.datasets.examples.drop_reasons import Drops
from jobs.datasets.examples.languages import language_of_name
from jobs.datasets.public.candidate import Candidate, SourceReader, cwe_ids, text_of
from jobs.datasets.public.content import content_refusal
from jobs.datasets.public.enclosing import finder

ATTRIBUTION = "CrossVul (Nikitopoulos et al., ESEC/FSE 2021)"
_LONGEST_FILE = 600_000  # characters; the set's longest files are about 500 KB


def candidates(row: dict[str, Any], context: int, drops: Drops) -> list[Candidate]:
    """One candidate for each group of changes between the two versions of the file."""
    before = text_of(row, "vulnerable_code", "vul_code")
    after = text_of(row, "fixed_code")
    language = _language(row, before)
    reason = _row_refusal(before, after, language)
    if reason is not None:
        drops.add(reason)
        return []
    try:
        groups = groups_of_pair(before, after, context, finder(before, language))
    except TooDifferent:
        drops.add("huge_file")
        return []
    if not groups:
        drops.add("identical_sides")
    elif _breaks_syntax(before, after, language):
        drops.add("fix_does_not_parse")
        return []
    return [_candidate(row, group, (before, after), language, len(groups)) for group in groups]


def _breaks_syntax(before: str, after: str, language: str | None) -> bool:
    faults = syntax.faults(after, language)
    return bool(faults) and (faults or 0) > (syntax.faults(before, language) or 0)


def _row_refusal(before: str, after: str, language: str | None) -> str | None:
    if not before.strip() or not after.strip():
        return "no_code"
    if before == after:
        return "identical_sides"
    if max(len(before), len(after)) > _LONGEST_FILE:
        return "huge_file"
    return content_refusal(before, language)


def _candidate(
    row: dict[str, Any], group: ChangeGroup, sides: tuple[str, str], language: str | None, count: int
) -> Candidate:
    pair = text_of(row, "file_pair_id")
    name, _, sentence = text_of(row, "cwe_description").partition(" - ")
    identifiers = cwe_ids(text_of(row, "cwe_id"))
    # A fixed file is often the vulnerable one of a later pair: versions of one file share a key through this.
    contents = tuple(f"file:{_digest(side)}" for side in sides)
    commit = (f"crossvul:{pair.split('_')[0]}",) if pair else ()
    return Candidate(
        source=SOURCE.name,
        key=f"{pair}:{contents[0]}:{contents[1]}:{group.start_line}",
        group=group,
        language=language,
        cwes=tuple((identifier, name.strip() if len(identifiers) == 1 else "") for identifier in identifiers),
        description=sentence.strip() or None,
        groups=(*commit, *contents),
        whole_fix=count == 1,
        provenance=f"crossvul:{pair or contents[0]}",
        attribution=ATTRIBUTION,
    )


def _digest(side: str) -> str:
    return hashlib.sha256("\n".join(code_lines(side)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _language(row: dict[str, Any], code: str) -> str | None:
    language = language_of_name(text_of(row, "language"))
    if language == "php" and "<?" not in code:
        return None
    return language


SOURCE = SourceReader(
    name="crossvul",
    title="CrossVul",
    columns=(
        ("cwe_id",),
        ("cwe_description",),
        ("language",),
        ("vulnerable_code", "vul_code"),
        ("fixed_code",),
    ),
    candidates=candidates,
    licence="apache-2.0 (dataset card)",
    attribution=ATTRIBUTION,
    more_columns=("file_pair_id",),
)
