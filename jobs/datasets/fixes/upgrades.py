"""Upgrades: how each manifest declares a package at a version, so that the fix is written in its own syntax.

Every declaration is a whole small document of its format (JSON, XML, TOML), so that it can be parsed by
itself. A lock file is written by a tool; the manifest that one edits to change it stands here in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from jobs.findings.model.finding import Package


@dataclass(frozen=True, slots=True)
class Declaration:
    """How one kind of manifest declares a package.

    Args:
        manifest: The manifest's usual file name.
        tag: The language tag of its fence.
        write: (package name, version) -> the declaration's text.
    """

    manifest: str
    tag: str
    write: Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Placed:
    """A declaration for one package, and whether the report itself named the manifest that declares it."""

    declaration: Declaration
    named: bool


def _json(section: str) -> Callable[[str, str], str]:
    def write(name: str, version: str) -> str:
        return f'{{\n  "{section}": {{\n    "{name}": "{version}"\n  }}\n}}'

    return write


def _toml(section: str) -> Callable[[str, str], str]:
    def write(name: str, version: str) -> str:
        key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'
        return f'[{section}]\n{key} = "{version}"'

    return write


def _pipfile(name: str, version: str) -> str:
    return _toml("packages")(name, f"=={version}")


def _project(name: str, version: str) -> str:
    return f'[project]\ndependencies = [\n    "{name}=={version}",\n]'


def _pom(name: str, version: str) -> str:
    group, artifact = _coordinates(name)
    return (
        f"<dependency>\n    <groupId>{group}</groupId>\n    <artifactId>{artifact}</artifactId>\n"
        f"    <version>{version}</version>\n</dependency>"
    )


def _gradle_kotlin(name: str, version: str) -> str:
    return f'dependencies {{\n    implementation("{":".join(_coordinates(name))}:{version}")\n}}'


def _gradle_groovy(name: str, version: str) -> str:
    return f"dependencies {{\n    implementation '{':'.join(_coordinates(name))}:{version}'\n}}"


def _version_catalog(name: str, version: str) -> str:
    group, artifact = _coordinates(name)
    key = re.sub(r"[^A-Za-z0-9]+", "-", artifact).strip("-")
    return f'[libraries]\n{key} = {{ module = "{group}:{artifact}", version = "{version}" }}'


def _go(name: str, version: str) -> str:
    bare = version.removeprefix("go").removeprefix("v")
    if name in {"stdlib", "toolchain", "go"}:
        return f"toolchain go{bare}"
    return f"require {name} v{bare}"


def _package_reference(name: str, version: str) -> str:
    return f'<ItemGroup>\n  <PackageReference Include="{name}" Version="{version}" />\n</ItemGroup>'


def _base_image(name: str, version: str) -> str:
    return f"FROM {name}{'@' if version.startswith('sha256:') else ':'}{version}"


def _action(name: str, version: str) -> str:
    return f"steps:\n  - uses: {name}@{version}"


def _pub(name: str, version: str) -> str:
    return f"dependencies:\n  {name}: {version}"


def _coordinates(name: str) -> tuple[str, str]:
    """Group and artifact; reports write "group:artifact", package URLs "group/artifact"."""
    group, _, artifact = name.replace("/", ":").rpartition(":")
    return group, artifact


NPM = Declaration("package.json", "json", _json("dependencies"))
REQUIREMENTS = Declaration("requirements.txt", "requirements", lambda name, version: f"{name}=={version}")
POETRY = Declaration("pyproject.toml", "toml", _toml("tool.poetry.dependencies"))
PROJECT = Declaration("pyproject.toml", "toml", _project)
PIPFILE = Declaration("Pipfile", "toml", _pipfile)
BASE_IMAGE = Declaration("Dockerfile", "dockerfile", _base_image)
ACTION = Declaration(".github/workflows/ci.yml", "yaml", _action)
PUB = Declaration("pubspec.yaml", "yaml", _pub)
MAVEN = Declaration("pom.xml", "xml", _pom)
GRADLE_KOTLIN = Declaration("build.gradle.kts", "kotlin", _gradle_kotlin)
GRADLE_GROOVY = Declaration("build.gradle", "groovy", _gradle_groovy)
VERSION_CATALOG = Declaration("libs.versions.toml", "toml", _version_catalog)
GO = Declaration("go.mod", "go.mod", _go)
CARGO = Declaration("Cargo.toml", "toml", _toml("dependencies"))
GEM = Declaration("Gemfile", "ruby", lambda name, version: f'gem "{name}", "{version}"')
COMPOSER = Declaration("composer.json", "json", _json("require"))
NUGET = Declaration("project.csproj", "xml", _package_reference)
APT = Declaration(
    "Dockerfile",
    "dockerfile",
    lambda name, version: (
        f"RUN apt-get update && apt-get install -y --no-install-recommends {name}={version}"
    ),
)
APK = Declaration(
    "Dockerfile", "dockerfile", lambda name, version: f"RUN apk add --no-cache {name}={version}"
)
DNF = Declaration("Dockerfile", "dockerfile", lambda name, version: f"RUN dnf install -y {name}-{version}")

# Manifests that people write: a report that names one of these names the declaring file itself.
_WRITTEN: dict[str, Declaration] = {
    "package.json": NPM, "pyproject.toml": POETRY, "pipfile": PIPFILE, "pom.xml": MAVEN,
    "build.gradle.kts": GRADLE_KOTLIN, "build.gradle": GRADLE_GROOVY, "libs.versions.toml": VERSION_CATALOG,
    "pubspec.yaml": PUB, "go.mod": GO, "cargo.toml": CARGO, "gemfile": GEM, "composer.json": COMPOSER,
}  # fmt: skip
# Lock files, each with the manifest it is made from.
_LOCKED: dict[str, Declaration] = {
    "package-lock.json": NPM, "npm-shrinkwrap.json": NPM, "yarn.lock": NPM, "pnpm-lock.yaml": NPM,
    "bun.lock": NPM,
    "poetry.lock": POETRY, "uv.lock": PROJECT, "pdm.lock": PROJECT, "pipfile.lock": PIPFILE,
    "gradle.lockfile": GRADLE_KOTLIN, "buildscript-gradle.lockfile": GRADLE_KOTLIN,
    "verification-metadata.xml": GRADLE_KOTLIN, "go.sum": GO, "cargo.lock": CARGO, "gemfile.lock": GEM,
    "pubspec.lock": PUB, "composer.lock": COMPOSER, "packages.lock.json": NUGET, "packages.config": NUGET,
}  # fmt: skip
_ECOSYSTEMS: dict[str, Declaration] = {
    "npm": NPM, "node-pkg": NPM, "yarn": NPM, "pnpm": NPM,
    "pypi": REQUIREMENTS, "pip": REQUIREMENTS, "python-pkg": REQUIREMENTS, "poetry": POETRY,
    "pipenv": PIPFILE, "uv": PROJECT, "maven": MAVEN, "pom": MAVEN, "jar": MAVEN, "gradle": GRADLE_KOTLIN,
    "golang": GO, "go": GO, "gomod": GO, "gobinary": GO,
    "cargo": CARGO, "crates.io": CARGO, "rustbinary": CARGO,
    "gem": GEM, "rubygems": GEM, "bundler": GEM, "gemspec": GEM,
    "composer": COMPOSER, "packagist": COMPOSER, "nuget": NUGET, "dotnet-core": NUGET,
    "docker": BASE_IMAGE, "oci": BASE_IMAGE, "github actions": ACTION, "githubactions": ACTION, "pub": PUB,
    "deb": APT, "debian": APT, "ubuntu": APT, "dpkg": APT,
    "apk": APK, "alpine": APK, "wolfi": APK, "chainguard": APK,
    "rpm": DNF, "redhat": DNF, "red hat": DNF, "rocky": DNF, "rocky linux": DNF,
    "alma": DNF, "almalinux": DNF, "fedora": DNF, "centos": DNF, "oracle": DNF, "amazon": DNF,
}  # fmt: skip
_REQUIREMENTS = re.compile(r"requirements.*\.(txt|in)|constraints.*\.txt")
# A file name decides only among the declarations of the package's own ecosystem.
_FAMILIES: tuple[frozenset[Declaration], ...] = (
    frozenset({NPM}),
    frozenset({REQUIREMENTS, POETRY, PROJECT, PIPFILE}),
    frozenset({MAVEN, GRADLE_KOTLIN, GRADLE_GROOVY, VERSION_CATALOG}),
    frozenset({GO}),
    frozenset({CARGO}),
    frozenset({GEM}),
    frozenset({COMPOSER}),
    frozenset({NUGET}),
    frozenset({PUB}),
    frozenset({ACTION}),
    frozenset({BASE_IMAGE}),
    frozenset({APT}),
    frozenset({APK}),
    frozenset({DNF}),
)


def declaration_of(package: Package) -> Placed | None:
    """The declaration to upgrade a package by, from its manifest's name, else from its ecosystem.

    Returns:
        None where neither is known, or where the name lacks what the declaration needs (Maven's group).
    """
    placed = _by_name(package.manifest or "")
    ecosystem = (package.ecosystem or "").split(":")[0].strip().lower()
    general = _ECOSYSTEMS.get(ecosystem)
    if general is not None and (placed is None or not _same_family(placed.declaration, general)):
        placed = Placed(general, named=False)
    if placed is None or (_needs_group(placed.declaration) and not _coordinates(package.name)[0]):
        return None
    return placed


def _by_name(manifest: str) -> Placed | None:
    name = PurePosixPath(manifest.replace("\\", "/")).name.lower()
    if name in _WRITTEN:
        return Placed(_WRITTEN[name], named=True)
    if _REQUIREMENTS.fullmatch(name):
        return Placed(REQUIREMENTS, named=True)
    if name.endswith((".csproj", ".fsproj", ".vbproj")):
        return Placed(NUGET, named=True)
    return Placed(_LOCKED[name], named=False) if name in _LOCKED else None


def _same_family(one: Declaration, other: Declaration) -> bool:
    return any({one, other} <= family for family in _FAMILIES)


def _needs_group(declaration: Declaration) -> bool:
    return declaration in {MAVEN, GRADLE_KOTLIN, GRADLE_GROOVY, VERSION_CATALOG}


_PIECE = re.compile(r"\d+|[a-z]+|~")
_BEFORE_RELEASE = {
    "~",
    "a",
    "alpha",
    "b",
    "beta",
    "c",
    "cr",
    "rc",
    "pre",
    "preview",
    "dev",
    "m",
    "snapshot",
    "canary",
}


def version_order(version: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts 1.10 above 1.9 and 2.0-rc1 below 2.0.

    It is a check on what the scanner's own ordering chose, not a replacement for it.
    """
    text = version.lower().split("+")[0] if version.lower().startswith("v") else version.lower()
    pieces = []
    for piece in _PIECE.findall(text.removeprefix("v")):
        if piece.isdigit():
            pieces.append((2, int(piece), ""))
        else:
            pieces.append((0 if piece in _BEFORE_RELEASE else 1, 0, piece))
    return (*pieces, (1, -1, ""))


def is_nearest_above(installed: str, chosen: str, fixed: tuple[str, ...]) -> bool:
    """Whether `chosen` is above the installed version and no other of the fixed versions lies between."""
    low, high = version_order(installed), version_order(chosen)
    return low < high and not any(low < version_order(other) < high for other in fixed)
