"""Paths: which files of a commit are no fixed code, and how a path of somebody's machine becomes relative."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from jobs.datasets.examples.languages import language_of_path

_TEST_FOLDERS = frozenset({
    "test", "tests", "testing", "testdata", "test-data", "__tests__", "spec", "specs", "e2e", "fixtures",
    "testsuite", "unittests", "androidtest", "t", "cypress", "mocks", "__mocks__", "fuzz", "fuzzing",
})  # fmt: skip
_TEST_NAME = re.compile(
    r"(^|[._-])(test|tests|spec|unittest)([._-]|$)|^test[A-Z_]|[a-z0-9](Test|Tests|TestCase|Spec|IT)$"
)
_DOC_FOLDERS = frozenset({"doc", "docs", "documentation", "man", "manual", "javadoc"})
_DOC_SUFFIXES = frozenset({
    ".md", ".markdown", ".rst", ".txt", ".adoc", ".asciidoc", ".tex", ".pod", ".1", ".3", ".5", ".8", ".texi",
    ".html_doc", ".org", ".rdoc", ".textile", ".po", ".pot", ".svg",
})  # fmt: skip
_DOC_STEMS = frozenset(
    {"readme", "license", "licence", "copying", "authors", "contributors", "security", "install"}
)
_CHANGELOG = re.compile(r"^(change[-_]?log|changes|history|news|release[-_ ]?notes|whatsnew|thanks)\b", re.I)
_LOCK_NAMES = frozenset({
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "composer.lock",
    "gemfile.lock", "poetry.lock", "uv.lock", "pdm.lock", "pipfile.lock", "cargo.lock", "go.sum",
    "gradle.lockfile", "mix.lock",
    "packages.lock.json", "podfile.lock", "pubspec.lock", "bun.lock", "flake.lock",
})  # fmt: skip
_GENERATED_FOLDERS = frozenset(
    {"vendor", "node_modules", "third_party", "thirdparty", "dist", "generated", "bower_components"}
)
_GENERATED_NAME = re.compile(
    r"(\.pb\.(go|cc|h)|_pb2(_grpc)?\.py|\.generated\.\w+|\.g\.(cs|dart)|\.designer\.cs)$", re.I
)
_MINIFIED_NAME = re.compile(r"[.-](min|pack|bundle)\.(js|css|mjs)$", re.I)

# A prefix names a person or a build machine; what follows it is the project's own path.
_HOME_PREFIX = re.compile(
    r"(?:file://)?(?:[A-Za-z]:)?[\\/]+(?:home|Users|var/home|Documents and Settings)[\\/]+"
    r"[^\\/\s\"'<>:|*?]+[\\/]+"
)
_ROOT_PREFIX = re.compile(r"^(?:file://)?/root/")
_CI_PREFIX = re.compile(
    r"^/(?:github/workspace|workspace|builds/[^/]+/[^/]+|__w/[^/]+/[^/]+|usr/src/app|app|src|work|code|repo|scan)/"
)
_KEPT_PARTS = (
    3  # of an absolute path without a known prefix: enough to know the file, too few to know the machine
)


def file_refusal(path: str) -> str | None:
    """Why a file of a commit teaches no fix, by its name alone; None where it may be code.

    Args:
        path: The path inside its repository, with forward slashes.

    Returns:
        A reason of `jobs.datasets.examples.drop_reasons.DROP_REASONS`.
    """
    pure = PurePosixPath(path)
    for reason, applies in _FILE_RULES:
        if applies(pure):
            return reason
    return None


def _is_lock(path: PurePosixPath) -> bool:
    return path.name.lower() in _LOCK_NAMES


def _is_changelog(path: PurePosixPath) -> bool:
    return bool(_CHANGELOG.match(path.stem)) and language_of_path(path.name) is None


def _is_test(path: PurePosixPath) -> bool:
    return any(part.lower() in _TEST_FOLDERS for part in path.parts[:-1]) or bool(
        _TEST_NAME.search(path.stem)
    )


def _is_documentation(path: PurePosixPath) -> bool:
    if path.name.lower() in {"cmakelists.txt", "requirements.txt"}:
        return False
    in_folder = any(part.lower() in _DOC_FOLDERS for part in path.parts[:-1])
    return (
        in_folder
        or path.suffix.lower() in _DOC_SUFFIXES
        or (path.stem.lower() in _DOC_STEMS and not path.suffix)
    )


def _is_minified(path: PurePosixPath) -> bool:
    return bool(_MINIFIED_NAME.search(path.name))


def _is_generated(path: PurePosixPath) -> bool:
    return any(part.lower() in _GENERATED_FOLDERS for part in path.parts[:-1]) or bool(
        _GENERATED_NAME.search(path.name)
    )


def _is_not_code(path: PurePosixPath) -> bool:
    return language_of_path(path.name) is None and bool(path.suffix)


_FILE_RULES = (
    ("lock_file", _is_lock),
    ("changelog", _is_changelog),
    ("test_code", _is_test),
    ("documentation", _is_documentation),
    ("minified", _is_minified),
    ("generated", _is_generated),
    ("not_code", _is_not_code),
)


def relative_path(path: str) -> str:
    """A reported path without the drive, home folder, workspace or root that it was scanned under."""
    text = path.strip().replace("\\", "/")
    text = _ROOT_PREFIX.sub("", _HOME_PREFIX.sub("", text, count=1))
    if text.startswith("file://"):
        text = text[len("file://") :]
    text = re.sub(r"^[A-Za-z]:(?=/)", "", text)
    text, known = _CI_PREFIX.subn("", text, count=1)
    parts = [part for part in text.split("/") if part not in {"", ".", ".."}]
    if text.startswith("/") and not known:
        parts = parts[-_KEPT_PARTS:]
    return "/".join(parts)


def without_home(text: str) -> str:
    """Text or code in which no path names the home folder of the machine it was scanned on."""
    return _HOME_PREFIX.sub("", text)
