"""Made-up packages and advisories: what the generated reports tell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.learn.names import Names, dotted

BRANCHES = 0.2  # of the advisories name a fixed version in a later major version as well
PROBLEMS = (
    "long names overflow a buffer",
    "a crafted header leaks memory",
    "a deep document exhausts the stack",
    "paths lead out of the folder",
    "input is run as code",
    "tokens are compared in varying time",
    "redirects keep credentials",
    "certificates are not checked",
)
CWES = ("CWE-120", "CWE-200", "CWE-400", "CWE-22", "CWE-94", "CWE-208", "CWE-601", "CWE-295")


@dataclass(frozen=True)
class Kind:
    """One kind of package.

    Args:
        manifest: Where the report says that it is declared.
        trivy: Trivy's word for the manifest.
        osv: OSV's word for the ecosystem.
        purl: The package URL's type.
    """

    manifest: str
    trivy: str
    osv: str
    purl: str


KINDS = (
    Kind("web/package-lock.json", "npm", "npm", "npm"),
    Kind("service/requirements.txt", "pip", "PyPI", "pypi"),
    Kind("agent/Cargo.lock", "cargo", "crates.io", "cargo"),
    Kind("site/Gemfile.lock", "bundler", "RubyGems", "gem"),
    Kind("gateway/go.mod", "gomod", "Go", "golang"),
    Kind("mobile/gradle.lockfile", "gradle", "Maven", "maven"),
    Kind("server/pom.xml", "pom", "Maven", "maven"),
)


@dataclass(frozen=True)
class Advisory:
    """One advisory on one version of one package."""

    identifier: str
    kind: Kind
    package: str
    installed: str
    fixed: tuple[str, ...]
    problem: int

    @property
    def title(self) -> str:
        """One line."""
        return f"{self.package.rpartition(':')[2].rpartition('/')[2]}: {PROBLEMS[self.problem]}"

    @property
    def cwe(self) -> str:
        """The weakness."""
        return CWES[self.problem]

    @property
    def purl(self) -> str:
        """The package URL."""
        return f"pkg:{self.kind.purl}/{self.package.replace(':', '/')}@{self.installed}"


def advisories(count: int, seed: int) -> Iterator[Advisory]:
    """`count` advisories; no two on one package."""
    known: set[str] = set()
    number = 0
    while len(known) < count:
        names = Names(random.Random(f"{seed}/advisory/{number}"))
        number += 1
        kind = KINDS[len(known) % len(KINDS)]
        package = package_name(kind, names)
        if package in known:
            continue
        known.add(package)
        yield _advisory(kind, package, names, len(known))


def _advisory(kind: Kind, package: str, names: Names, number: int) -> Advisory:
    installed = names.version()
    fixed = names.above(installed)
    versions = [fixed]
    if names.rng.random() < BRANCHES:
        versions.append(
            (fixed[0] + names.rng.randint(1, 3), names.rng.randint(0, 9), names.rng.randint(0, 9))
        )
    return Advisory(
        identifier=f"CVE-2099-{20_000 + number}",
        kind=kind,
        package=package,
        installed=dotted(installed),
        fixed=tuple(map(dotted, versions)),
        problem=names.rng.randrange(len(PROBLEMS)),
    )


def package_name(kind: Kind, names: Names) -> str:
    """A name in the manner of an ecosystem, of two words that are rarely met together twice."""
    if kind.purl == "maven":
        return f"org.{names.word()}:{names.joined('-')}"
    return f"example.org/{names.word()}/{names.joined('-')}" if kind.purl == "golang" else names.joined("-")
