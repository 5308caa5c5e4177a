"""True fixes of Checkov's Dockerfile checks, made in the instructions that the report shows."""

from __future__ import annotations

import re
from collections.abc import Callable

from jobs.datasets.fixes.fix_rule import FixRule

_USER = "10001"  # a number needs no account in the image, and is above those of the host's users
_ARCHIVE = re.compile(
    r"\.(tar|tgz|gz|bz2|xz|zip|zst)\b|://|git@|\.git\b|--checksum|--keep-git-dir", re.IGNORECASE
)
_APT = re.compile(
    r"(?<![\w/.-])apt(?=(\s+-\S+)*\s+(install|update|upgrade|full-upgrade|remove|purge|autoremove|clean)\b)"
)
_SUDO = re.compile(r"(?<![\w/.-])sudo(\s+-[EHn]+)*\s+")

# White space before an option; with an option on a line of its own goes the line's continuation.
_GAP = r"(?:[ \t]*\\\n)?\s+"

Apply = Callable[[str, str], str | None]


def _by_line(keyword: str, change: Callable[[str], str | None]) -> Apply:
    """Change every instruction of one keyword (None: the snippet does not allow it); the others stay."""

    def apply(code: str, _resource: str) -> str | None:
        found = []
        for text in instructions(code):
            is_ours = text.lstrip().upper().startswith(f"{keyword} ")
            changed = change(text) if is_ours else text
            if changed is None:
                return None
            found.append(changed)
        fixed = "\n".join(text for text in found if text.strip() or text == "")
        return fixed if fixed != code else None

    return apply


def instructions(code: str) -> list[str]:
    """The instructions of a Dockerfile, each with its continued lines; comments and empty lines alone."""
    found: list[str] = []
    continues = False
    for line in code.split("\n"):
        if continues:
            found[-1] += "\n" + line
        else:
            found.append(line)
        is_comment = line.lstrip().startswith("#")
        continues = line.rstrip().endswith("\\") if not is_comment else continues
    return found


def _close_ssh_port(line: str) -> str | None:
    words = line.split()
    kept = [word for word in words if word not in {"22", "22/tcp"}]
    return " ".join(kept) if 1 < len(kept) < len(words) else (line if len(kept) == len(words) else None)


def _copy_instead_of_add(line: str) -> str | None:
    return None if _ARCHIVE.search(line) else re.sub(r"^(\s*)ADD\b", r"\1COPY", line, flags=re.IGNORECASE)


def _label(line: str) -> str | None:
    name = line.split(None, 1)[1].strip().strip("\"'")
    return None if '"' in name or "\\" in name else f'LABEL maintainer="{name}"'


def _with_user(code: str, _resource: str) -> str | None:
    """Before the last CMD or ENTRYPOINT of the last stage, else at its end."""
    found = instructions(code)
    words = [text.split(None, 1)[0].upper() if text.strip() else "" for text in found]
    if "FROM" not in words or "USER" in words:
        return None
    last_stage = len(words) - words[::-1].index("FROM")
    ends = [at for at in range(last_stage, len(words)) if words[at] in {"CMD", "ENTRYPOINT"}]
    place = (
        ends[0]
        if ends
        else len("\n".join(found).rstrip().split("\n"))
        if len(found) == len(code.split("\n"))
        else None
    )
    if place is None:
        return None
    return "\n".join([*found[:place], f"USER {_USER}", *found[place:]])


def _plain_user(line: str) -> str | None:
    return re.sub(r"^(\s*USER\s+)(root|0)\s*$", rf"\g<1>{_USER}", line, flags=re.IGNORECASE)


def _without_option(command: str, option: str) -> Callable[[str], str]:
    """Take an option (a pattern) away from each call of a command, up to the next `;`, `|` or `&`."""
    call = re.compile(rf"(?<![\w/.-])(?:{command})(?![\w-])[^|&;]*")
    gone = re.compile(rf"{_GAP}(?:{option})(?=\s|$)")
    return lambda text: call.sub(lambda match: gone.sub("", match[0]), text)


def _secure_curl(text: str) -> str:
    call = re.compile(r"(?<![\w/.-])curl(?![\w-])[^|&;]*")
    cluster = re.compile(r"(\s+-)([A-Za-jl-z]*)k([A-Za-z]*)(?=\s|$)")

    def change(match: re.Match[str]) -> str:
        bare = re.sub(rf"{_GAP}(--insecure|-k)(?=\s|$)", "", match[0])
        return cluster.sub(r"\1\2\3", bare)

    return call.sub(change, text)


def _set(name: str, wrong: str, right: str) -> Callable[[str], str]:
    assigned = re.compile(rf"(?<![\w-])((?:{name})(?:=|\s+))([\"']?)(?:{wrong})\2(?![\w.])")
    return lambda text: assigned.sub(rf"\g<1>\g<2>{right}\g<2>", text)


def _unset(name: str) -> Callable[[str], str | None]:
    """Take an assignment away; an instruction that only made it goes as a whole."""
    value = r"(?:\"[^\"]*\"|'[^']*'|[^\s;&|]+)"

    def change(text: str) -> str | None:
        if re.fullmatch(rf"\s*(ENV|ARG)\s+{name}(=|\s+){value}\s*", text, flags=re.IGNORECASE):
            return " "
        return re.sub(rf"(?<![\w-])(export\s+{name}={value}\s*(&&|;)\s*|{name}={value}\s+)", "", text)

    return change


def _in(keywords: str, change: Callable[[str], str | None]) -> Apply:
    parts = [_by_line(keyword, change) for keyword in keywords.split()]

    def apply(code: str, resource: str) -> str | None:
        changed = code
        for part in parts:
            changed = part(changed, resource) or changed
        return changed if changed not in {code, ""} and changed.strip() else None

    return apply


def _no_sudo(text: str) -> str | None:
    bare = _SUDO.sub("", text)
    return None if "sudo" in bare else bare


_PACKAGES = "no {} among the options of {}"
DOCKER: dict[str, FixRule] = {
    check: FixRule(required, "dockerfile", apply)
    for check, required, apply in (
        ("CKV_DOCKER_1", "port 22 is not exposed", _by_line("EXPOSE", _close_ssh_port)),
        (
            "CKV_DOCKER_3",
            f"USER {_USER} before the first CMD or ENTRYPOINT of the last stage, else at its end",
            _with_user,
        ),
        ("CKV_DOCKER_4", "COPY in the place of ADD", _by_line("ADD", _copy_instead_of_add)),
        (
            "CKV_DOCKER_6",
            "a LABEL named maintainer in the place of MAINTAINER",
            _by_line("MAINTAINER", _label),
        ),
        ("CKV_DOCKER_8", f"USER {_USER} in the place of root", _by_line("USER", _plain_user)),
        (
            "CKV_DOCKER_9",
            "apt-get in the place of apt",
            _by_line("RUN", lambda text: _APT.sub("apt-get", text)),
        ),
        ("CKV2_DOCKER_1", "no sudo", _by_line("RUN", _no_sudo)),
        ("CKV2_DOCKER_2", _PACKAGES.format("-k or --insecure", "curl"), _by_line("RUN", _secure_curl)),
        (
            "CKV2_DOCKER_3",
            _PACKAGES.format("--no-check-certificate", "wget"),
            _by_line("RUN", _without_option("wget", "--no-check-certificate")),
        ),
        (
            "CKV2_DOCKER_4",
            _PACKAGES.format("--trusted-host", "pip"),
            _by_line("RUN", _without_option(r"pip3?", r"--trusted-host(?:=|\s+)\S+")),
        ),
        ("CKV2_DOCKER_5", "PYTHONHTTPSVERIFY is 1", _in("ENV ARG RUN", _set("PYTHONHTTPSVERIFY", "0", "1"))),
        (
            "CKV2_DOCKER_6",
            "NODE_TLS_REJECT_UNAUTHORIZED is 1",
            _in("ENV ARG RUN", _set("NODE_TLS_REJECT_UNAUTHORIZED", "0", "1")),
        ),
        (
            "CKV2_DOCKER_7",
            _PACKAGES.format("--allow-untrusted", "apk"),
            _by_line("RUN", _without_option("apk", "--allow-untrusted")),
        ),
        (
            "CKV2_DOCKER_8",
            _PACKAGES.format("--allow-unauthenticated", "apt-get"),
            _by_line("RUN", _without_option("apt-get", "--allow-unauthenticated")),
        ),
        (
            "CKV2_DOCKER_9",
            _PACKAGES.format("--nogpgcheck", "yum, dnf and tdnf"),
            _by_line("RUN", _without_option("yum|t?dnf", "--nogpgcheck")),
        ),
        (
            "CKV2_DOCKER_10",
            _PACKAGES.format("--nodigest, --nosignature, --noverify or --nofiledigest", "rpm"),
            _by_line("RUN", _without_option("rpm", "--no(?:digest|signature|verify|filedigest)")),
        ),
        (
            "CKV2_DOCKER_11",
            _PACKAGES.format("--force-yes", "apt-get"),
            _by_line("RUN", _without_option("apt-get", "--force-yes")),
        ),
        (
            "CKV2_DOCKER_12",
            "NPM_CONFIG_STRICT_SSL is true",
            _in("ENV ARG RUN", _set("NPM_CONFIG_STRICT_SSL|npm_config_strict_ssl", "false", "true")),
        ),
        ("CKV2_DOCKER_13", "strict-ssl is set to true", _by_line("RUN", _set("strict-ssl", "false", "true"))),
        ("CKV2_DOCKER_14", "GIT_SSL_NO_VERIFY is not set", _in("ENV ARG RUN", _unset("GIT_SSL_NO_VERIFY"))),
        (
            "CKV2_DOCKER_15",
            "sslverify is set to 1",
            _by_line(
                "RUN",
                lambda text: re.sub(r"(sslverify=)(?:0|false|no)\b", r"\g<1>1", text, flags=re.IGNORECASE),
            ),
        ),
        ("CKV2_DOCKER_16", "PIP_TRUSTED_HOST is not set", _in("ENV ARG RUN", _unset("PIP_TRUSTED_HOST"))),
    )
}
