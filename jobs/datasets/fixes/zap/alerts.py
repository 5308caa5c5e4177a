"""ZAP's alerts about headers, cookies, CORS and CSP: for each what the response must be, and what it was.

Identity is ZAP's alert reference (the plugin's id, "-" and a number where one plugin raises several alerts);
an alert that comes without its number is found by its name. Names and references are those of ZAP's own
alert pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobs.findings.model.finding import Finding

CSP = "Content-Security-Policy"
_FRAMES, _TYPES, _HSTS = "X-Frame-Options", "X-Content-Type-Options", "Strict-Transport-Security"
_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_YEAR = "max-age=31536000; includeSubDomains"
_FEATURES = "camera=(), geolocation=(), microphone=()"


@dataclass(frozen=True, slots=True)
class Header:
    """A response header.

    Args:
        name: The header that the response must have, or must not.
        right: The value it must have, once; None: it must not be sent.
        wrong: (name, value) of each header that was sent instead.
    """

    name: str
    right: str | None
    wrong: tuple[tuple[str, str], ...] = ()

    @property
    def required(self) -> str:
        """What the prompt says of it."""
        gone = sorted({name for name, _ in self.wrong if name != self.name})
        instead = f" instead of {' and '.join(gone)}" if gone else ""
        if self.right is None:
            return f"the response header {self.name} is not sent"
        return f"the response header {self.name}: {self.right}{instead}, sent once"


@dataclass(frozen=True, slots=True)
class Cookie:
    """An attribute of the session's cookie: secure, httpOnly or sameSite; `wrong` None is left out."""

    attribute: str
    wrong: str | None = None

    @property
    def required(self) -> str:
        """What the prompt says of it."""
        words = {"secure": "Secure", "httpOnly": "HttpOnly", "sameSite": "SameSite=Lax"}
        return f"the session's cookie has the attribute {words[self.attribute]}"


@dataclass(frozen=True, slots=True)
class Origins:
    """Cross-origin requests: allowed to everybody, and must be to one origin."""

    origin: str = "https://app.example.com"

    @property
    def required(self) -> str:
        """What the prompt says of it."""
        return f"only the origin {self.origin} may read responses across origins"


AlertRule = Header | Cookie | Origins


def _sent(name: str, *values: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for value in values)


def _policy(wrong: str, name: str = CSP) -> Header:
    return Header(CSP, _POLICY, ((name, wrong),))


def _leak(name: str, value: str) -> Header:
    return Header(name, None, ((name, value),))


_FALLBACK = "; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

# Reference, name, rule.
ALERTS: tuple[tuple[str, str, AlertRule], ...] = (
    ("10010", "Cookie No HttpOnly Flag", Cookie("httpOnly")),
    ("10011", "Cookie Without Secure Flag", Cookie("secure")),
    (
        "10015",
        "Re-examine Cache-control Directives",
        Header("Cache-Control", "no-store", _sent("Cache-Control", "public, max-age=3600")),
    ),
    ("10020-1", "Missing Anti-clickjacking Header", Header(_FRAMES, "DENY")),
    (
        "10020-2",
        "Multiple X-Frame-Options Header Entries",
        Header(_FRAMES, "DENY", _sent(_FRAMES, "DENY", "SAMEORIGIN")),
    ),
    ("10020-4", "X-Frame-Options Setting Malformed", Header(_FRAMES, "DENY", _sent(_FRAMES, "ALLOWALL"))),
    ("10021", "X-Content-Type-Options Header Missing", Header(_TYPES, "nosniff")),
    ("10035-1", "Strict-Transport-Security Header Not Set", Header(_HSTS, _YEAR)),
    ("10035-2", "Strict-Transport-Security Disabled", Header(_HSTS, _YEAR, _sent(_HSTS, "max-age=0"))),
    (
        "10035-3",
        "Strict-Transport-Security Multiple Header Entries (Non-compliant with Spec)",
        Header(_HSTS, _YEAR, _sent(_HSTS, _YEAR, "max-age=600")),
    ),
    (
        "10036-1",
        'Server Leaks its Webserver Application via "Server" HTTP Response Header Field',
        _leak("Server", "relying-party"),
    ),
    (
        "10036-2",
        'Server Leaks Version Information via "Server" HTTP Response Header Field',
        _leak("Server", "relying-party/2.3.1"),
    ),
    (
        "10037",
        'Server Leaks Information via "X-Powered-By" HTTP Response Header Field(s)',
        _leak("X-Powered-By", "relying-party/2.3.1"),
    ),
    ("10038-1", "Content Security Policy (CSP) Header Not Set", Header(CSP, _POLICY)),
    (
        "10038-2",
        "Obsolete Content Security Policy (CSP) Header Found",
        _policy(_POLICY, "X-Content-Security-Policy"),
    ),
    (
        "10038-3",
        "Content Security Policy (CSP) Report-Only Header Found",
        _policy(_POLICY, f"{CSP}-Report-Only"),
    ),
    ("10039", "X-Backend-Server Header Information Leak", _leak("X-Backend-Server", "rp-node-3")),
    (
        "10049-3",
        "Storable and Cacheable Content",
        Header("Cache-Control", "no-store", _sent("Cache-Control", "public, max-age=86400")),
    ),
    (
        "10052",
        "X-ChromeLogger-Data (XCOLD) Header Information Leak",
        _leak("X-ChromeLogger-Data", "eyJyb3dzIjpbXX0="),
    ),
    ("10054-1", "Cookie without SameSite Attribute", Cookie("sameSite")),
    ("10054-2", "Cookie with SameSite Attribute None", Cookie("sameSite", "none")),
    ("10055-1", "CSP: X-Content-Security-Policy", _policy(_POLICY, "X-Content-Security-Policy")),
    ("10055-2", "CSP: X-WebKit-CSP", _policy(_POLICY, "X-WebKit-CSP")),
    ("10055-4", "CSP: Wildcard Directive", _policy("default-src *" + _FALLBACK)),
    (
        "10055-5",
        "CSP: script-src unsafe-inline",
        _policy("default-src 'self'; script-src 'self' 'unsafe-inline'" + _FALLBACK),
    ),
    (
        "10055-6",
        "CSP: style-src unsafe-inline",
        _policy("default-src 'self'; style-src 'self' 'unsafe-inline'" + _FALLBACK),
    ),
    (
        "10055-7",
        "CSP: script-src unsafe-hashes",
        _policy("default-src 'self'; script-src 'self' 'unsafe-hashes'" + _FALLBACK),
    ),
    (
        "10055-8",
        "CSP: style-src unsafe-hashes",
        _policy("default-src 'self'; style-src 'self' 'unsafe-hashes'" + _FALLBACK),
    ),
    (
        "10055-10",
        "CSP: script-src unsafe-eval",
        _policy("default-src 'self'; script-src 'self' 'unsafe-eval'" + _FALLBACK),
    ),
    ("10055-13", "CSP: Failure to Define Directive with No Fallback", _policy("default-src 'self'")),
    ("10056", "X-Debug-Token Information Leak", _leak("X-Debug-Token", "4f2c91")),
    ("10061", "X-AspNet-Version Response Header", _leak("X-AspNet-Version", "4.0.30319")),
    ("10063-1", "Permissions Policy Header Not Set", Header("Permissions-Policy", _FEATURES)),
    (
        "10063-2",
        "Deprecated Feature Policy Header Set",
        Header(
            "Permissions-Policy",
            _FEATURES,
            _sent("Feature-Policy", "camera 'none'; geolocation 'none'; microphone 'none'"),
        ),
    ),
    ("10098", "Cross-Domain Misconfiguration", Origins()),
    ("40040", "CORS Misconfiguration", Origins()),
    (
        "90004-1",
        "Cross-Origin-Resource-Policy Header Missing or Invalid",
        Header("Cross-Origin-Resource-Policy", "same-origin"),
    ),
    (
        "90004-2",
        "Cross-Origin-Embedder-Policy Header Missing or Invalid",
        Header("Cross-Origin-Embedder-Policy", "require-corp"),
    ),
    (
        "90004-3",
        "Cross-Origin-Opener-Policy Header Missing or Invalid",
        Header("Cross-Origin-Opener-Policy", "same-origin"),
    ),
)
# Names that alerts had in earlier versions of ZAP.
_FORMER = {
    "x-frame-options header not set": "10020-1",
    "csp scanner: wildcard directive": "10055-4",
    "csp: wildcard directive": "10055-4",
    "incomplete or no cache-control header set": "10015",
    "incomplete or no cache-control and pragma http header set": "10015",
    "feature policy header not set": "10063-1",
}
_BY_REFERENCE: dict[str, AlertRule] = {reference: rule for reference, _, rule in ALERTS}
_BY_NAME: dict[str, AlertRule] = {
    **{name.lower(): rule for _, name, rule in ALERTS},
    **{name: _BY_REFERENCE[reference] for name, reference in _FORMER.items()},
}
_PLUGINS = frozenset(reference.partition("-")[0] for reference, _, _ in ALERTS)


def alert_rule_of(finding: Finding) -> AlertRule | None:
    """What a ZAP alert asks of the response; None where the table does not know the alert."""
    if finding.tool != "zap":
        return None
    plugin = re.match(r"\d*", finding.rule)
    if plugin is None or plugin[0] not in _PLUGINS:
        return None
    return _BY_REFERENCE.get(finding.rule) or _BY_NAME.get(finding.title.strip().lower())
