"""Package facts: purl types for the scanners' ecosystem words, purls, names that mean the same package."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath

from packageurl import PackageURL

_TYPES = {
    "npm": "npm yarn pnpm bun node-pkg nodejs package-lock.json yarn.lock pnpm-lock.yaml package.json",
    "pypi": "pypi pip pipenv poetry uv pylock python-pkg pipfile.lock poetry.lock uv.lock pyproject.toml",
    "maven": "maven jar pom gradle gradle-lockfile sbt sbt-lockfile pom.xml gradle.lockfile build.gradle",
    "golang": "golang go gomod gobinary go.mod go.sum",
    "cargo": "cargo rust rustbinary rust-binary crates.io cargo.lock",
    "gem": "gem rubygems bundler gemspec ruby gemfile.lock",
    "composer": "composer composer-vendor packagist php composer.lock",
    "nuget": "nuget dotnet-core dotnet packages-props .net packages.lock.json packages.config",
    "hex": "hex mix mix-lock erlang mix.lock",
    "pub": "pub dart pubspec.lock",
    "swift": "swift swifturl package.resolved",
    "cocoapods": "cocoapods podfile.lock",
    "conan": "conan conancenter conan.lock",
    "conda": "conda conda-pkg conda-environment",
    "cran": "cran r",
    "hackage": "hackage haskell ghc",
    "deb": "deb dpkg debian ubuntu echo",
    "apk": "apk alpine wolfi chainguard minimos alpaquita",
    "rpm": "rpm redhat rhel centos rocky alma almalinux oracle amazon fedora suse opensuse opensuse-leap "
    "opensuse.leap opensuse-tumbleweed opensuse.tumbleweed sles slem sle-micro slem.micro suse.linux photon "
    "cbl-mariner azurelinux azure mageia openeuler",
    "bitnami": "bitnami",
}
_PURL_TYPE = {word: kind for kind, words in _TYPES.items() for word in words.split()}
_DISTRO = re.compile(r"\((\w[\w.-]*) [^()]*\)")
# Names and versions in which nothing is encoded or lowered: packageurl takes 20 µs to see that.
_SIMPLE = {"npm", "pypi", "maven", "golang", "cargo", "gem", "composer", "deb", "apk", "rpm"}
_SAFE = re.compile(r"[a-z0-9][a-z0-9.-]*(?:/[a-z0-9][a-z0-9.-]*)*@[A-Za-z0-9][A-Za-z0-9._~+-]*")
_PURL = re.compile(r"pkg:([A-Za-z][\w.+-]*)/")
_NAMESPACED = {"deb", "apk", "rpm"}


@lru_cache(maxsize=4096)
def purl_type(word: str | None) -> str | None:
    """The purl type for a scanner's word ("pip", "crates.io", "Debian:12", "Go"), or None."""
    if not word:
        return None
    base = word.strip().lower().split(":")[0]
    return _PURL_TYPE.get(base) or _PURL_TYPE.get(base.split(" ")[0])


@lru_cache(maxsize=4096)
def type_of_purl(purl: str | None) -> str | None:
    """The type part of a purl, or None where it is none."""
    match = _PURL.match(purl or "")
    return match[1].lower() if match else None


@lru_cache(maxsize=4096)
def type_of_manifest(path: str | None) -> str | None:
    """The purl type that a lock file's name tells, or an image's name such as `x (debian 12.1)`."""
    if not path:
        return None
    name = PurePosixPath(path).name.lower()
    if word := distro(path):
        return purl_type(word)
    if name.endswith((".jar", ".war", ".ear")):
        return "maven"
    if re.fullmatch(r"requirements.*\.txt", name):
        return "pypi"
    return _PURL_TYPE.get(name) if "." in name else None


@lru_cache(maxsize=4096)
def distro(path: str | None) -> str | None:
    """The distribution in Trivy's name of an image: `x (debian 12.1)`."""
    match = _DISTRO.search(path or "")
    return match[1] if match else None


@lru_cache(maxsize=4096)  # a package stands in a report once per advisory; building a purl takes 20 µs
def make_purl(kind: str | None, name: str, version: str | None, namespace: str | None = None) -> str | None:
    """A purl, or None where the type is unknown or the parts do not make one.

    Args:
        kind: purl type.
        name: The name as the ecosystem writes it (`group:artifact`, `@scope/name`, `vendor/name`).
        version: The installed version.
        namespace: The purl namespace of an operating system's package: debian, ubuntu, alpine, ...
    """
    if kind is None or (kind in _NAMESPACED and not namespace):
        return None
    space, _, short = name.replace(":", "/", 1).rpartition("/") if kind == "maven" else name.rpartition("/")
    if kind in _NAMESPACED:
        space, short = namespace or "", name
    path = f"{space}/{short}" if space else short
    if kind == "pypi" and not space:
        path = path.lower().replace("_", "-")
    if kind in _SIMPLE and version and _SAFE.fullmatch(found := f"{path}@{version}"):
        return f"pkg:{kind}/{found.replace('+', '%2B')}"
    try:
        made = PackageURL(type=kind, namespace=space or None, name=short, version=version)
        return str(made.to_string())
    except ValueError:
        return None


def same_name(kind: str | None, first: str, second: str) -> bool:
    """Whether two names mean one package; PyPI, npm's old names, NuGet and Composer ignore case."""
    return plain_name(kind, first) == plain_name(kind, second)


@lru_cache(maxsize=4096)
def plain_name(kind: str | None, name: str) -> str:
    """The name as it is compared: PEP 503 for PyPI, lower case where the registry ignores case."""
    if kind == "pypi":
        return re.sub(r"[-_.]+", "-", name).lower()
    return name.lower() if kind in {"nuget", "composer", "npm"} else name
