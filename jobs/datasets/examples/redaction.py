"""Redaction: secrets in prompts and answers become placeholders before anything is written; no way round it.

The patterns are those of detect-secrets; nothing of it that could ask a network is called. Chosen are the
plugins whose pattern is a vendor's own token format, and the keyword plugin with a stricter idea of a value.
Left out, since they fire on ordinary code and would spoil it:
    Base64/HexHighEntropyString: hashes of lock files, integrity attributes, UUIDs, test vectors of ciphers.
    IPPublic: an address is no secret, and fixes of SSRF and binding flaws are about addresses.
    Artifactory: "AP" with nine more letters or digits is any constant (APBITFIELD1).
    Cloudant, IbmCloudIam, IbmCosHmac, Softlayer: they look for words before a value, as the keyword plugin
        does, but their prefixes ("cl", "sl") are parts of ordinary names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from jobs.datasets.examples.example import Example

MARK = "REDACTED_"

_VENDORS = {
    "aws": ("AWSKeyDetector", "aws_key"),
    "azure_storage_key": ("AzureStorageKeyDetector", "azure_storage_key"),
    "basic_auth": ("BasicAuthDetector", "url_password"),
    "discord": ("DiscordBotTokenDetector", "discord_token"),
    "github_token": ("GitHubTokenDetector", "github_token"),
    "gitlab_token": ("GitLabTokenDetector", "gitlab_token"),
    "jwt": ("JwtTokenDetector", "json_web_token"),
    "mailchimp": ("MailchimpDetector", "mailchimp_key"),
    "npm": ("NpmDetector", "npm_token"),
    "openai": ("OpenAIDetector", "openai_token"),
    "pypi_token": ("PypiTokenDetector", "pypi_token"),
    "sendgrid": ("SendGridDetector", "sendgrid_key"),
    "slack": ("SlackDetector", "slack_token"),
    "square_oauth": ("SquareOAuthDetector", "square_secret"),
    "stripe": ("StripeDetector", "stripe_key"),
    "telegram_token": ("TelegramBotTokenDetector", "telegram_token"),
    "twilio": ("TwilioKeyDetector", "twilio_key"),
}
# In these the pattern's last group is the secret and the rest is what it stands in; in the others the groups
# are parts of the secret (detect-secrets 1.5 yields "ghp" for a GitHub token).
_LAST_GROUP = frozenset({"aws_key", "url_password"})
_FIRST_GROUP = frozenset({"npm_token"})
# Chosen by people, so they may be short and look like a part of something else.
_WORDS = frozenset({"password", "url_password"})
# Languages whose values stand without quotes.
_CONFIGURATION = frozenset({"yaml", "ini", "properties", "toml", "conf", "bash", "dockerfile"})

_REMEMBERED = 1_000  # facts; most are the same in every example: names of sources, languages, licences
_KEYWORD = re.compile(r"pass|pwd|secret|key|contrase", re.IGNORECASE)
_LONGEST_LINE = 2_000  # characters: the keyword patterns backtrack, and nobody writes such a line by hand
_SHORTEST, _LONGEST = 6, 200  # characters of a value behind a keyword
_PART = re.compile(r"[!@#$^&*+=?~]")
# What stands for a value rather than being one: interpolation, calls, markup, paths, and names with numbers.
_STANDS_FOR = re.compile(
    r"\s|\$\{|\$\(|\$\w|\{\{|#\{|%[sd({]|\{\w*\}|<|>|\(|\)|\[|\]|::|->|\||//|\\|&&|==|;|\bprocess\.env|\benv\b",
    re.IGNORECASE,
)
_ALGORITHM = re.compile(
    r"(?:hmac|pbkdf|scrypt|bcrypt|argon|sha|md|aes|des|rsa|ecdsa|ed|hs|rs|es|ps|base|utf|iso|ascii|x|oauth|http"
    r"|v|ssl|tls|kms|kb|win|web)[a-z]*[-_/.]?\d+(?:[-_/.]?[a-z0-9]+)*",
    re.IGNORECASE,
)
_NUMBERED_NAME = re.compile(r"[a-z]+(?:[A-Z][a-z]+)*[_-]?\d|[A-Z][A-Z0-9_]+|[a-z]+(?:[._-][a-z0-9]+)+")

_KEY_BEGIN = re.compile(r"BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-+|PuTTY-User-Key-File-\d")
_KEY_END = re.compile(r"-+END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?|Private-MAC:")
_RUN = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{16,}={0,2}")
_WIDE_RUN = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40,}={0,2}")


class Redactor:
    """Replaces secrets, and counts how many of each kind."""

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._examples = 0
        self._known_clean: set[str] = set()

    def clean(self, example: Example) -> Example:
        """The example without secrets; the very same object where there was none.

        A secret that stands in the prompt and in the answer gets one placeholder, so that the answer stays
        determined by its prompt.
        """
        turns = [message["content"] for message in example.messages]
        texts, kinds = redact(turns, example.metadata.get("language"))
        facts, more = self._clean_facts(example.metadata)
        if not kinds and not more:
            return example
        self._examples += 1
        self._kinds.update(kinds + more)
        messages = tuple(
            {**message, "content": text} for message, text in zip(example.messages, texts, strict=True)
        )
        return replace(example, messages=messages, metadata=facts)

    def _clean_facts(self, metadata: dict[str, Any]) -> tuple[dict[str, Any], Counter[str]]:
        """Metadata holds addresses of repositories, which may carry a password."""
        facts, kinds = dict(metadata), Counter[str]()
        for name, value in metadata.items():
            if not isinstance(value, str) or value in self._known_clean:
                continue
            (facts[name],), found = redact([value], None)
            kinds += found
            if not found and len(self._known_clean) < _REMEMBERED:
                self._known_clean.add(value)
        return facts, kinds

    def to_json(self) -> dict[str, Any]:
        """How many examples held secrets, and how many distinct secrets of each kind they held."""
        return {"examples": self._examples, "by_kind": dict(sorted(self._kinds.items()))}


def redact(texts: list[str], language: str | None) -> tuple[list[str], Counter[str]]:
    """Texts that belong together, without secrets.

    Args:
        texts: One secret gets one placeholder throughout.
        language: The fence's tag; configuration files write values without quotes.

    Returns:
        The texts, and the distinct secrets by kind. Applied to its own result, it changes nothing.
    """
    named: dict[str, str] = {}
    kinds: Counter[str] = Counter()
    # What a first pass hides (patterns that overlap) the next one finds; each leaves less to find.
    while found := _find_distinct(texts, language):
        for secret, kind in found.items():
            kinds[kind] += 1
            named[secret] = f"{MARK}{kind.upper()}_{kinds[kind]}"
        texts = [_replace(text, found, named) for text in texts]
    return texts, kinds


def _find_distinct(texts: list[str], language: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        for secret, kind in _find_secrets(text, language):
            if secret and MARK not in secret:
                found.setdefault(secret, kind)
    return found


def _replace(text: str, found: dict[str, str], named: dict[str, str]) -> str:
    for secret in sorted(found, key=lambda each: (-len(each), each)):
        if found[secret] in _WORDS:  # a short password may be a part of other words
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", named[secret], text)
        else:
            text = text.replace(secret, named[secret])
    return text


def _find_secrets(text: str, language: str | None) -> Iterator[tuple[str, str]]:
    for run in _key_material(text):
        yield run, "private_key_line"
    for kind, patterns, check in _vendor_patterns():
        for pattern in patterns:
            for match in pattern.finditer(text):
                secret = _secret_of(match, kind)
                if (check or _always)(secret) and (kind not in _WORDS or is_url_password(secret)):
                    yield secret, kind
    if _KEYWORD.search(text):
        for line in text.split("\n"):
            yield from _passwords(line, language)


def _always(_secret: str) -> bool:
    return True


def _secret_of(match: re.Match[str], kind: str) -> str:
    groups = [group for group in match.groups() if group]
    if kind in _LAST_GROUP and groups:
        return groups[-1]
    return groups[0] if kind in _FIRST_GROUP and groups else match[0]


@cache
def _vendor_patterns() -> tuple[tuple[str, tuple[re.Pattern[str], ...], Any], ...]:
    from importlib import import_module

    found = []
    for module, (name, kind) in _VENDORS.items():
        plugin = getattr(import_module(f"detect_secrets.plugins.{module}"), name)()
        found.append((kind, tuple(plugin.denylist), getattr(plugin, "is_formally_valid", None)))
    return tuple(found)


@cache
def _keyword_patterns(is_configuration: bool) -> tuple[tuple[re.Pattern[str], int], ...]:
    from detect_secrets.plugins import keyword

    tables = [keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP]
    if is_configuration:
        tables.append(keyword.CONFIG_DENYLIST_REGEX_TO_GROUP)
    return tuple(item for table in tables for item in table.items())


def _passwords(line: str, language: str | None) -> Iterator[tuple[str, str]]:
    if len(line) > _LONGEST_LINE or not _KEYWORD.search(line):
        return
    for pattern, group in _keyword_patterns(language in _CONFIGURATION):
        for match in pattern.finditer(line):
            value = match[group].strip()
            if is_password(value):
                yield value, "password"


def is_password(value: str) -> bool:
    """Whether the value that stands behind a word such as "password" is one, and not what stands for one.

    A password has a letter, and two digits or a mark that names do not have ("hunter22", "Sesame!"); what a
    program calls things ("sha256", "password_2", "user.secret", "${TOKEN}") has not.
    """
    from detect_secrets.filters import heuristic

    if not _SHORTEST <= len(value) <= _LONGEST or not value.isascii() or _STANDS_FOR.search(value):
        return False
    digits = sum(map(str.isdigit, value))
    if _ALGORITHM.fullmatch(value) or (digits < 4 and _NUMBERED_NAME.fullmatch(value)):
        return False
    if heuristic.is_sequential_string(value) or heuristic.is_potential_uuid(value):
        return False
    return any(map(str.isalpha, value)) and (digits >= 2 or bool(_PART.search(value)))


def is_url_password(value: str) -> bool:
    """Whether the word before an address's @ is a password, and not what stands for one ("pass", "%s")."""
    has_more = any(map(str.isdigit, value)) or bool(_PART.search(value)) or value.lower() != value
    return len(value) >= 4 and has_more and not _STANDS_FOR.search(value) and not value.isupper()


def _key_material(text: str) -> Iterator[str]:
    """The runs of key material in PEM blocks, whole or cut off by the window at either end."""
    if "PRIVATE KEY" not in text and "PuTTY-User-Key-File" not in text:
        return
    for begin in _KEY_BEGIN.finditer(text):
        end = _KEY_END.search(text, begin.end())
        body = text[begin.end() : end.start() if end else _last_run(text, begin.end())]
        yield from filter(_is_key_run, _RUN.findall(body))
    for end in _KEY_END.finditer(text):
        yield from _runs_above(text[: end.start()])


def _runs_above(text: str) -> Iterator[str]:
    """The runs of the lines above an end without a begin; the last line of a block may be short."""
    short: list[str] = []
    for line in reversed(text.split("\n")):
        runs = _WIDE_RUN.findall(line)
        if runs:
            yield from (*short, *runs)
            short = []
        elif line.strip() and MARK not in line:
            if short:
                break
            short = [run for run in _RUN.findall(line) if _is_key_run(run)]
            if not short:
                break


def _is_key_run(run: str) -> bool:
    """A long run, or a last one: names of 16 letters and more stand between the marks as well."""
    return len(run) >= 40 or any(not letter.isalpha() for letter in run)


def _last_run(text: str, start: int) -> int:
    """Where a block without an end stops: before the first line that holds no wide run."""
    place = start
    for line in text[start:].split("\n"):
        if line.strip(" \t\"'\\n+,;") and not _WIDE_RUN.search(line):
            break
        place += len(line) + 1
    return place
