"""Upgrades: each manifest's own syntax, parsed where the standard library can."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import yaml
from defusedxml import ElementTree
from packaging.requirements import Requirement

from jobs import grammars
from jobs.datasets.examples.syntax import faults
from jobs.datasets.fixes.upgrades import declaration_of, is_nearest_above, version_order
from jobs.findings.model.finding import Package


def written(version: str = "1.2.3", **package: Any) -> tuple[str, str, bool]:
    placed = declaration_of(Package(**package))
    assert placed is not None
    return placed.declaration.manifest, placed.declaration.write(package["name"], version), placed.named


@pytest.mark.parametrize(
    ("package", "manifest", "text"),
    [
        ({"name": "flask", "manifest": "app/requirements-dev.txt"}, "requirements.txt", "flask==1.2.3"),
        ({"name": "flask", "ecosystem": "PyPI"}, "requirements.txt", "flask==1.2.3"),
        ({"name": "rails", "manifest": "Gemfile.lock"}, "Gemfile", 'gem "rails", "1.2.3"'),
        ({"name": "github.com/a/b", "manifest": "go.sum"}, "go.mod", "require github.com/a/b v1.2.3"),
        ({"name": "stdlib", "ecosystem": "golang"}, "go.mod", "toolchain go1.2.3"),
        (
            {"name": "io.ktor:ktor-server", "manifest": "server/build.gradle.kts"},
            "build.gradle.kts",
            'dependencies {\n    implementation("io.ktor:ktor-server:1.2.3")\n}',
        ),
        (
            {"name": "io.ktor/ktor-server", "manifest": "build.gradle"},
            "build.gradle",
            "dependencies {\n    implementation 'io.ktor:ktor-server:1.2.3'\n}",
        ),
        (
            {"name": "openssl", "ecosystem": "Debian:12"},
            "Dockerfile",
            "RUN apt-get update && apt-get install -y --no-install-recommends openssl=1.2.3",
        ),
        ({"name": "openssl", "ecosystem": "apk"}, "Dockerfile", "RUN apk add --no-cache openssl=1.2.3"),
    ],
)
def test_an_upgrade_is_written_as_its_manifest_writes_it(
    package: dict[str, Any], manifest: str, text: str
) -> None:
    assert written(**package)[:2] == (manifest, text)


@pytest.mark.parametrize(
    ("package", "path"),
    [
        ({"name": "@scope/left", "manifest": "web/package-lock.json"}, ["dependencies", "@scope/left"]),
        ({"name": "a/b", "manifest": "composer.lock"}, ["require", "a/b"]),
    ],
)
def test_json_manifests_parse(package: dict[str, Any], path: list[str]) -> None:
    _, text, named = written(**package)
    assert json.loads(text)[path[0]][path[1]] == "1.2.3"
    assert not named


@pytest.mark.parametrize(
    ("package", "found"),
    [
        ({"name": "serde", "manifest": "Cargo.lock"}, {"dependencies": {"serde": "1.2.3"}}),
        (
            {"name": "ruamel.yaml", "manifest": "poetry.lock"},
            {"tool": {"poetry": {"dependencies": {"ruamel.yaml": "1.2.3"}}}},
        ),
        ({"name": "flask", "manifest": "uv.lock"}, {"project": {"dependencies": ["flask==1.2.3"]}}),
        ({"name": "flask", "manifest": "Pipfile.lock"}, {"packages": {"flask": "==1.2.3"}}),
        (
            {"name": "a.b:c.d", "manifest": "gradle/libs.versions.toml"},
            {"libraries": {"c-d": {"module": "a.b:c.d", "version": "1.2.3"}}},
        ),
    ],
)  # fmt: skip
def test_toml_manifests_parse(package: dict[str, Any], found: dict[str, Any]) -> None:
    assert tomllib.loads(written(**package)[1]) == found


def test_a_maven_dependency_parses_and_is_named_by_the_report() -> None:
    manifest, text, named = written(name="org.a:b", ecosystem="maven", manifest="core/pom.xml")
    assert (manifest, named) == ("pom.xml", True)
    assert [child.text for child in ElementTree.fromstring(text)] == ["org.a", "b", "1.2.3"]


def test_the_ecosystem_goes_before_a_file_name_of_another_one() -> None:
    assert written(name="lodash", ecosystem="npm", manifest="Gemfile")[0] == "package.json"
    assert written(name="openssl", ecosystem="deb", manifest="package.json")[0] == "Dockerfile"


@pytest.mark.parametrize(
    "package",
    [
        {"name": "thing", "ecosystem": "hackage"},
        {"name": "thing"},
        {"name": "no-group", "ecosystem": "maven"},
    ],
)
def test_a_package_whose_declaration_would_be_a_guess_has_none(package: dict[str, Any]) -> None:
    assert declaration_of(Package(**package)) is None


def test_versions_are_ordered_by_number_and_prereleases_stand_below() -> None:
    versions = ["2.0.0", "1.10", "v1.9", "2.0.0-rc1", "2.0.0.1"]
    assert sorted(versions, key=version_order) == ["v1.9", "1.10", "2.0.0-rc1", "2.0.0", "2.0.0.1"]


@pytest.mark.parametrize(
    ("installed", "chosen", "fixed", "holds"),
    [
        ("3.0.0", "3.0.1", ("6.0.1", "5.0.1", "4.1.1", "3.0.1"), True),
        ("3.0.0", "6.0.1", ("6.0.1", "5.0.1", "4.1.1", "3.0.1"), False),
        ("3.0.2", "3.0.1", ("3.0.1",), False),
        ("2.5", "3.1", ("2.4.9", "3.1"), True),
        ("1:2.3-4", "1:2.3-4+deb12u1", ("1:2.3-4+deb12u1",), True),
    ],
)
def test_the_chosen_version_must_be_the_one_that_the_prompt_s_rule_gives(
    installed: str, chosen: str, fixed: tuple[str, ...], holds: bool
) -> None:
    assert is_nearest_above(installed, chosen, fixed) is holds


def _packaging(text: str) -> Any:
    requirement = Requirement(text)
    return f"{requirement.name} {requirement.specifier}"


def _leaves(text: str) -> list[str | None]:
    found = ElementTree.fromstring(text)
    return [
        *found.attrib.values(),
        *(value for child in found for value in (child.text, *child.attrib.values())),
    ]


def _strings(tag: str) -> Any:
    def parse(text: str) -> list[str]:
        root = grammars.parse(text, tag)
        assert not root.has_error
        waiting, found = [root], []
        while waiting:
            node = waiting.pop()
            if ("string" in node.type or node.type == "character_literal") and node.text is not None:
                found.append(node.text.decode().strip("\"'"))
            waiting.extend(node.children)
        return found

    return parse


def _instruction(text: str) -> Any:
    assert faults(text, "dockerfile") == 0
    return text.split()


def _go_module(text: str) -> Any:
    assert faults(text, "go.mod") == 0
    return text.split()


@pytest.mark.parametrize(
    ("package", "parse", "holds"),
    [
        ({"name": "a.b:c", "manifest": "build.gradle.kts"}, _strings("kotlin"), "a.b:c:1.2.3"),
        ({"name": "a.b:c", "manifest": "app/build.gradle"}, _strings("groovy"), "a.b:c:1.2.3"),
        ({"name": "a.b:c", "manifest": "gradle.lockfile"}, _strings("kotlin"), "a.b:c:1.2.3"),
        ({"name": "a.b:c", "manifest": "libs.versions.toml"}, tomllib.loads, "libraries"),
        ({"name": "a.b:c", "manifest": "pom.xml"}, _leaves, "1.2.3"),
        ({"name": "left", "manifest": "package.json"}, json.loads, "dependencies"),
        ({"name": "left", "manifest": "pnpm-lock.yaml"}, json.loads, "dependencies"),
        ({"name": "flask", "manifest": "requirements.txt"}, _packaging, "flask ==1.2.3"),
        ({"name": "flask", "manifest": "pyproject.toml"}, tomllib.loads, "tool"),
        ({"name": "flask", "manifest": "uv.lock"}, tomllib.loads, "project"),
        ({"name": "flask", "manifest": "Pipfile"}, tomllib.loads, "packages"),
        ({"name": "a.b/c", "manifest": "go.mod"}, _go_module, "v1.2.3"),
        ({"name": "serde", "manifest": "Cargo.toml"}, tomllib.loads, "dependencies"),
        ({"name": "rails", "manifest": "Gemfile"}, _strings("ruby"), "1.2.3"),
        ({"name": "a/b", "manifest": "composer.json"}, json.loads, "require"),
        ({"name": "A.B", "manifest": "src/App.csproj"}, _leaves, "1.2.3"),
        ({"name": "http", "manifest": "pubspec.lock"}, yaml.safe_load, "dependencies"),
        ({"name": "actions/checkout", "ecosystem": "GitHub Actions"}, yaml.safe_load, "steps"),
        ({"name": "openssl", "ecosystem": "deb"}, _instruction, "openssl=1.2.3"),
        ({"name": "openssl", "ecosystem": "apk"}, _instruction, "openssl=1.2.3"),
        ({"name": "openssl", "ecosystem": "rpm"}, _instruction, "openssl-1.2.3"),
        ({"name": "library/node", "ecosystem": "docker"}, _instruction, "library/node:1.2.3"),
    ],
)  # fmt: skip
def test_every_syntax_is_parsed_by_its_format_s_own_parser(
    package: dict[str, Any], parse: Any, holds: str
) -> None:
    _, text, _ = written(**package)
    assert holds in parse(text)


def test_a_base_image_can_be_pinned_by_its_digest() -> None:
    assert written("sha256:ab12", name="node", ecosystem="oci")[1] == "FROM node@sha256:ab12"
