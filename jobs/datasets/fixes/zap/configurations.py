"""Configurations of Ktor, Spring, Express and nginx: the same response header, cookie or origin in each one's
own words, as it was and as it must be.

The report of a dynamic scan knows no code. The configuration is therefore ours, and so is its quality's
limit; but the prompt names the alert, the framework, the required value and all that stands there, so that
the answer is determined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jobs.datasets.fixes.zap.alerts import AlertRule, Cookie, Header, Origins

_Lines = list[str]


@dataclass(frozen=True, slots=True)
class Framework:
    """One server or framework.

    Args:
        name: As its makers write it.
        tag: The language tag of its configuration's fence.
        headers: (name, value) pairs that are sent -> the configuration.
        origins: The allowed origin, or None for everybody -> the configuration.
        cookie: (cookie's name, its attributes) -> the configuration and its tag.
    """

    name: str
    tag: str
    headers: Callable[[tuple[tuple[str, str], ...]], str]
    origins: Callable[[str | None], str]
    cookie: Callable[[str, dict[str, str | None]], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ConfigurationChange:
    """A configuration before and after, and the tag of its language."""

    framework: str
    tag: str
    before: str
    after: str


def _text(*parts: str | _Lines) -> str:
    return "\n".join(line for part in parts for line in ([part] if isinstance(part, str) else part))


def _nginx_server(lines: _Lines) -> str:
    return _text(
        "server {",
        "    listen 443 ssl;",
        "    server_name www.example.com;",
        [f"    {line}" for line in lines],
        "",
        "    location / {",
        "        proxy_pass http://127.0.0.1:8080;",
        "    }",
        "}",
    )


def _nginx_headers(sent: tuple[tuple[str, str], ...]) -> str:
    return _nginx_server([f'add_header {name} "{value}" always;' for name, value in sent])


def _nginx_origins(origin: str | None) -> str:
    return _nginx_server([f'add_header Access-Control-Allow-Origin "{origin or "*"}" always;'])


def _nginx_cookie(name: str, attributes: dict[str, str | None]) -> tuple[str, str]:
    words = {"secure": "secure", "httpOnly": "httponly"}
    flags = [words[key] for key in words if attributes[key]]
    flags += [f"samesite={attributes['sameSite']}"] if attributes["sameSite"] else []
    return _nginx_server([f"proxy_cookie_flags {name} {' '.join(flags)};"]), "nginx"


_DISABLED = ("const app = express();", 'app.disable("x-powered-by");')
_EXPRESS = ['const express = require("express");', "const app = express();", ""]


def _express_headers(sent: tuple[tuple[str, str], ...]) -> str:
    # `append` adds a second entry where `setHeader` would replace the first.
    repeated = {name for name, _ in sent if sum(each == name for each, _ in sent) > 1}
    lines = [
        f'  res.{"append" if name in repeated else "setHeader"}("{name}", "{value}");' for name, value in sent
    ]
    return _text(_EXPRESS, "app.use((req, res, next) => {", lines, "  next();", "});")


def _express_origins(origin: str | None) -> str:
    return _text(
        _EXPRESS[0],
        'const cors = require("cors");',
        _EXPRESS[1:],
        f'app.use(cors({{ origin: "{origin or "*"}" }}));',
    )


def _express_cookie(name: str, attributes: dict[str, str | None]) -> tuple[str, str]:
    given = [f"      {key}: {_quote(value)}," for key, value in attributes.items() if value]
    text = _text(
        _EXPRESS[0],
        'const session = require("express-session");',
        _EXPRESS[1:],
        "app.use(",
        "  session({",
        f'    name: "{name}",',
        "    secret: process.env.SESSION_SECRET,",
        "    resave: false,",
        "    saveUninitialized: false,",
        "    cookie: {",
        '      path: "/",',
        given,
        "    },",
        "  }),",
        ");",
    )
    return text, "javascript"


def _quote(value: str | None) -> str:
    return value if value in {"true", "false"} else f'"{value}"'


def _spring_headers(sent: tuple[tuple[str, str], ...]) -> str:
    grouped: dict[str, list[str]] = {}
    for name, value in sent:
        grouped.setdefault(name, []).append(f'"{value}"')
    writers = [
        f'        headers.addHeaderWriter(new StaticHeadersWriter("{name}", {", ".join(values)}));'
        for name, values in grouped.items()
    ]
    return _text(
        "@Bean",
        "SecurityFilterChain securityFilterChain(HttpSecurity http) throws Exception {",
        "    http.headers(headers -> {",
        "        headers.defaultsDisabled();",
        writers,
        "    });",
        "    return http.build();",
        "}",
    )


def _spring_origins(origin: str | None) -> str:
    return _text(
        "@Bean",
        "CorsConfigurationSource corsConfigurationSource() {",
        "    CorsConfiguration configuration = new CorsConfiguration();",
        f'    configuration.setAllowedOrigins(List.of("{origin or "*"}"));',
        '    configuration.setAllowedMethods(List.of("GET", "POST"));',
        "    UrlBasedCorsConfigurationSource source = new UrlBasedCorsConfigurationSource();",
        '    source.registerCorsConfiguration("/**", configuration);',
        "    return source;",
        "}",
    )


def _spring_cookie(name: str, attributes: dict[str, str | None]) -> tuple[str, str]:
    words = {"secure": "secure", "httpOnly": "http-only", "sameSite": "same-site"}
    given = [f"        {words[key]}: {value}" for key, value in attributes.items() if value]
    return _text(
        "server:", "  servlet:", "    session:", "      cookie:", f"        name: {name}", given
    ), "yaml"


def _ktor_headers(sent: tuple[tuple[str, str], ...]) -> str:
    return _text(
        "fun Application.configureHeaders() {",
        "    install(DefaultHeaders) {",
        [f'        header("{name}", "{value}")' for name, value in sent],
        "    }",
        "}",
    )


def _ktor_origins(origin: str | None) -> str:
    scheme, _, host = (origin or "").partition("://")
    allowed = f'allowHost("{host}", schemes = listOf("{scheme}"))' if origin else "anyHost()"
    return _text(
        "fun Application.configureOrigins() {",
        "    install(CORS) {",
        "        allowMethod(HttpMethod.Get)",
        f"        {allowed}",
        "    }",
        "}",
    )


def _ktor_cookie(name: str, attributes: dict[str, str | None]) -> tuple[str, str]:
    given = [
        f"            cookie.{key} = {value}"
        if key != "sameSite"
        else f'            cookie.extensions["SameSite"] = "{value}"'
        for key, value in attributes.items()
        if value
    ]
    text = _text(
        "fun Application.configureSessions() {",
        "    install(Sessions) {",
        f'        cookie<UserSession>("{name}") {{',
        '            cookie.path = "/"',
        given,
        "        }",
        "    }",
        "}",
    )
    return text, "kotlin"


FRAMEWORKS: tuple[Framework, ...] = (
    Framework("Ktor", "kotlin", _ktor_headers, _ktor_origins, _ktor_cookie),
    Framework("Spring", "java", _spring_headers, _spring_origins, _spring_cookie),
    Framework("Express", "javascript", _express_headers, _express_origins, _express_cookie),
    Framework("nginx", "nginx", _nginx_headers, _nginx_origins, _nginx_cookie),
)

# A header that no alert of the table is about: a configuration is never empty.
_BESIDE = (("Referrer-Policy", "same-origin"),)
_FLAGS: dict[str, str | None] = {"secure": "true", "httpOnly": "true", "sameSite": "lax"}


def configuration_changes(rule: AlertRule, cookie: str) -> list[ConfigurationChange]:
    """The change in each framework that makes a response as an alert's rule asks.

    Args:
        rule: What the response must be.
        cookie: The name of the session's cookie.
    """
    return [
        _change(framework, rule, cookie)
        for framework in FRAMEWORKS
        if not (
            isinstance(rule, Header) and rule.right is None and (framework.name, rule.name) in _OF_ITS_OWN
        )
    ]


# Ktor's plugin and nginx send a Server header of their own: not to set one does not take it away.
_OF_ITS_OWN = frozenset({("Ktor", "Server"), ("nginx", "Server")})
_POWERED_BY = "X-Powered-By"


def _change(framework: Framework, rule: AlertRule, cookie: str) -> ConfigurationChange:
    if isinstance(rule, Origins):
        return ConfigurationChange(
            framework.name, framework.tag, framework.origins(None), framework.origins(rule.origin)
        )
    if isinstance(rule, Cookie):
        wrong = {**_FLAGS, rule.attribute: rule.wrong}
        before, tag = framework.cookie(cookie, wrong)
        return ConfigurationChange(framework.name, tag, before, framework.cookie(cookie, _FLAGS)[0])
    if framework.name == "Express" and rule.name == _POWERED_BY:
        plain = framework.headers(_BESIDE)
        # Express sends it unless told otherwise.
        return ConfigurationChange(
            framework.name, framework.tag, plain, plain.replace(_DISABLED[0], "\n".join(_DISABLED), 1)
        )
    sent = framework.headers((*_BESIDE, *rule.wrong))
    return ConfigurationChange(framework.name, framework.tag, sent, framework.headers(_right(rule)))


def _right(rule: Header) -> tuple[tuple[str, str], ...]:
    return _BESIDE if rule.right is None else (*_BESIDE, (rule.name, rule.right))
