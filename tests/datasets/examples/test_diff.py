"""Hunks: diffs and file pairs become windows that say the same."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.examples.diff import (
    ChangeGroup,
    TooDifferent,
    TornDiff,
    code_lines,
    groups_of_file,
    groups_of_pair,
    is_combined,
    parse_diff,
)

LINES = st.lists(
    st.sampled_from(["a", "b", "c", "  d", "", "-- e", "+f", "@@ -1 +1 @@"]), min_size=1, max_size=40
)


@given(before=LINES, after=LINES, context=st.integers(0, 4))
def test_applying_every_window_of_a_pair_to_the_old_file_gives_the_new_one(
    before: list[str], after: list[str], context: int
) -> None:
    groups = groups_of_pair("\n".join(before) + "\n", "\n".join(after) + "\n", context)
    lines = list(before)
    for group in reversed(groups):
        window = group.window(context)
        old = sum(line[0] != "+" for line in group.lines)
        new = [line[1:] for line in group.lines if line[0] != "-"]
        start = window.start_line - 1
        assert lines[start : start + old] == [line[1:] for line in group.lines if line[0] != "+"]
        assert "\n".join(new) == window.after
        lines[start : start + old] = new
    assert lines == after


@given(before=LINES, after=LINES, context=st.integers(0, 4), narrow=st.integers(0, 4))
def test_narrowing_a_window_loses_context_but_never_a_change(
    before: list[str], after: list[str], context: int, narrow: int
) -> None:
    for group in groups_of_pair("\n".join(before), "\n".join(after), context):
        wide, tight = group.window(context), group.window(min(narrow, context))
        assert tight.before in wide.before
        assert tight.after in wide.after
        assert len(tight.after.split("\n")) - len(tight.before.split("\n")) == (
            len(wide.after.split("\n")) - len(wide.before.split("\n"))
        ) or not (tight.before and tight.after)


def test_a_group_is_the_same_after_a_trip_through_json() -> None:
    (group,) = groups_of_pair("a\nb\nc", "a\nx\nc", 1)
    assert ChangeGroup.from_json(group.to_json()) == group


def test_changes_far_apart_become_windows_of_their_own() -> None:
    before = [f"line {number}" for number in range(30)]
    after = [
        "new first" if line == "line 2" else "new last" if line == "line 27" else line for line in before
    ]
    groups = groups_of_pair("\n".join(before), "\n".join(after), 3)
    assert [group.window(3).start_line for group in groups] == [1, 25]
    assert "line 27" not in groups[0].window(3).before


def test_the_enclosing_function_is_named_where_it_is_above_the_window() -> None:
    body = [f"        step({number})" for number in range(12)]
    before = "\n".join(["class Shop:", "    def find(self, name):", *body, "        run(name)"])
    (group,) = groups_of_pair(before, before.replace("run(name)", "run(clean(name))"), 2)
    assert group.enclosing == "def find(self, name):"


def test_a_git_hunk_becomes_the_file_before_and_after_with_its_section(made: SimpleNamespace) -> None:
    (file,) = parse_diff(made.git_diff("shop/q.py", 3, section="def find(cursor):"))
    (group,) = groups_of_file(file, 5)
    window = group.window(5)
    assert (file.after_path, group.enclosing, window.start_line) == ("shop/q.py", "def find(cursor):", 23)
    assert "cursor.execute('select ' + delta_3)" in window.before
    assert "statement = 'select ?'" in window.after
    assert "statement" not in window.before
    assert len(window.before.split("\n")) == 11


def test_removed_lines_that_look_like_headers_stay_lines() -> None:
    body = " select 1;\n--- old note\n-++ x\n+-- note"
    diff = f"diff --git a/x.sql b/x.sql\n--- a/x.sql\n+++ b/x.sql\n@@ -1,3 +1,2 @@\n{body}"
    (file,) = parse_diff(diff)
    assert groups_of_file(file, 3)[0].window(3).before == "select 1;\n-- old note\n++ x"
    assert groups_of_file(file, 3)[0].window(3).after == "select 1;\n-- note"


def test_what_stands_before_the_first_file_and_no_newline_marks_are_no_code() -> None:
    diff = (
        "commit 123\nAuthor: A\n\n    subject\n\n"
        "diff --git a/a.c b/a.c\nindex 1..2 100644\n--- a/a.c\n+++ b/a.c\n"
        "@@ -1 +1 @@\n-old();\n\\ No newline at end of file\n+new();\n\\ No newline at end of file\n"
    )
    window = groups_of_file(parse_diff(diff)[0], 5)[0].window(5)
    assert (window.before, window.after) == ("old();", "new();")


def test_added_deleted_and_binary_files_are_marked() -> None:
    files = parse_diff(
        "diff --git a/n.c b/n.c\nnew file mode 100644\n--- /dev/null\n+++ b/n.c\n@@ -0,0 +1,1 @@\n+x\n"
        "diff --git a/d.c b/d.c\ndeleted file mode 100644\n@@ -1,1 +0,0 @@\n-x\n"
        "diff --git a/i.png b/i.png\nBinary files a/i.png and b/i.png differ\n"
    )
    assert [(file.one_sided, file.binary) for file in files] == [(True, False), (True, False), (False, True)]


def test_a_diff_that_ends_in_a_hunk_is_torn() -> None:
    with pytest.raises(TornDiff, match="ends too early"):
        parse_diff("diff --git a/a.c b/a.c\n@@ -1,4 +1,4 @@\n x\n-y")


def test_a_diff_cut_off_by_other_text_is_torn() -> None:
    with pytest.raises(TornDiff, match="cut off"):
        parse_diff("diff --git a/a.c b/a.c\n@@ -1,4 +1,4 @@\n x\ndiff --git a/b.c b/b.c")


def test_a_combined_diff_is_that_of_a_merge() -> None:
    assert is_combined("diff --cc shop.py\nindex 1,2..3")
    assert not is_combined("diff --git a/shop.py b/shop.py\n+# diff --cc is a word here")


def test_two_huge_files_with_nothing_in_common_are_refused_rather_than_compared_for_ever() -> None:
    with pytest.raises(TooDifferent):
        groups_of_pair("\n".join(f"a{n}" for n in range(5000)), "\n".join(f"b{n}" for n in range(5000)), 3)


def test_only_line_feeds_end_a_line() -> None:
    assert code_lines("a\r\nb\x0cc\u2028d\n") == ["a", "b\x0cc\u2028d"]
