"""Paths: reduced to what belongs to the project."""

from __future__ import annotations

import pytest

from jobs.datasets.examples.paths import file_refusal, relative_path, without_home


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/app/x.py", "src/app/x.py"),
        ("./src/x.py", "src/x.py"),
        ("/home/ann/shop/src/x.py", "shop/src/x.py"),
        ("/Users/ann/shop/x.py", "shop/x.py"),
        ("C:\\Users\\ann\\shop\\x.py", "shop/x.py"),
        ("D:\\stuff\\deep\\er\\shop\\x.py", "er/shop/x.py"),
        ("file:///Users/ann/shop/x.py", "shop/x.py"),
        ("/github/workspace/src/x.py", "src/x.py"),
        ("/root/x.py", "x.py"),
        ("/data/projects/secret/shop/src/x.py", "shop/src/x.py"),
        ("../../other/x.py", "other/x.py"),
    ],
)
def test_a_reported_path_becomes_relative(path: str, expected: str) -> None:
    assert relative_path(path) == expected


def test_a_home_folder_inside_text_is_cut_out_and_the_rest_stays() -> None:
    assert without_home('open("/home/ann/a/b.txt") or see /etc/hosts') == 'open("a/b.txt") or see /etc/hosts'


@pytest.mark.parametrize(
    "path",
    [
        "a/main.c",
        "Dockerfile",
        "CMakeLists.txt",
        "latest.js",
        "app/contest.py",
        "Makefile",
        "run",
        "src/history.js",
    ],
)
def test_code_is_not_taken_for_something_else(path: str) -> None:
    assert file_refusal(path) is None
