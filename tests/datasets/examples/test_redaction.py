"""Redaction: secrets become placeholders, once and for all; ordinary code stays as it is."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.build import build_stage1
from jobs.datasets.examples.example import Example, conversation, fence
from jobs.datasets.examples.redaction import Redactor, redact
from jobs.datasets.request import Stage1Request

# Put together here, so that no scanner takes this file for a leak.
AWS = "AKIA" + "QW3RTY8UI9OP1ASD"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
SLACK = "xoxb-" + "123456789012-abcdefABCDEF1234567890"
STRIPE = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
PEM_LINES = ("MIIEowIBAAKCAQEAx8Jp3v9" * 3)[:64], ("q7Lk2Zt5Wm9Xy1Ab3Cd4Ef" * 3)[:64]
PEM_BODY = "\n".join([*PEM_LINES, "Qw12Er34Ty56Ui78Op=="])
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_BODY}\n-----END RSA PRIVATE KEY-----"

SECRETS = [
    (f'key = "{AWS}"', AWS, "aws_key"),
    (f"token: {GITHUB}", GITHUB, "github_token"),
    (f"post('{SLACK}')", SLACK, "slack_token"),
    (f"charge({STRIPE!r})", STRIPE, "stripe_key"),
    ("db_password = 'tr0ub4dor&3'", "tr0ub4dor&3", "password"),
    ('"client_secret": "9f8e7d6c5b4a39281706"', "9f8e7d6c5b4a39281706", "password"),
    ("$api_key = 'Zx81-qq42-Lm77';", "Zx81-qq42-Lm77", "password"),
    ("url = 'postgres://app:S3same42@db/app'", "S3same42", "url_password"),
]

ORDINARY = """\
"integrity": "sha512-9mFg2Xv1kq0wXy7Z8a6b5c4d3e2f1g0hAbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefgh==",
revision = "d4f5c4ea65329d9ccbb8a3b3149e5d06eda5edb2"
uuid = "123e4567-e89b-12d3-a456-426614174000"
'password' => 'required|string|min:8|confirmed',
$password = $_POST['password1'];
if (password == "") return;
secret_algorithm = "sha256"; key_type = "HS256"
<input type="password" name="password" id="password_field2">
const passwordField = "user.password.v2";
private_key_cipher = "AES/CBC/PKCS5Padding"
PASSWORD=${DB_PASSWORD}
password: "{{ vault_password }}"
sql = "SELECT id FROM users WHERE password='" + digest(given) + "'"
'secret' => env('APP_SECRET1'),
address = "203.0.113.77"
redirect("http://user:password@host/")
char *api_key = getenv("API_KEY_2");
"""


@pytest.mark.parametrize(("text", "secret", "kind"), SECRETS)
def test_a_secret_is_gone_and_counted_by_its_kind(text: str, secret: str, kind: str) -> None:
    (clean,), kinds = redact([text], "python")
    assert secret not in clean
    assert kinds == {kind: 1}
    assert clean == text.replace(secret, f"REDACTED_{kind.upper()}_1")


@pytest.mark.parametrize("language", [None, "php", "python", "yaml", "bash", "ini"])
def test_ordinary_code_stays_as_it_is(language: str | None) -> None:
    assert redact([ORDINARY], language) == ([ORDINARY], {})


def test_a_value_without_quotes_is_a_secret_in_configuration_and_a_variable_in_code() -> None:
    line = "db_password: tr0ub4dor&3"
    assert redact([line], "yaml")[1] == {"password": 1}
    assert redact(["password: checked2user"], "typescript")[1] == {}


@pytest.mark.parametrize("cut", [PEM, PEM.partition("-----END")[0], PEM.partition("KEY-----")[2]])
def test_key_material_is_gone_even_where_the_window_cuts_the_block(cut: str) -> None:
    (clean,), kinds = redact([cut], None)
    assert kinds["private_key_line"] >= 2
    assert not any(line in clean for line in PEM_LINES)


def test_a_secret_in_prompt_and_answer_gets_one_placeholder() -> None:
    (prompt, answer), kinds = redact([f"a('{AWS}', '{GITHUB}')", f"b('{GITHUB}', '{AWS}')"], "php")
    assert prompt == "a('REDACTED_AWS_KEY_1', 'REDACTED_GITHUB_TOKEN_1')"
    assert answer == "b('REDACTED_GITHUB_TOKEN_1', 'REDACTED_AWS_KEY_1')"
    assert kinds == {"aws_key": 1, "github_token": 1}


FRAGMENTS = st.sampled_from(
    [
        *(text for text, _, _ in SECRETS),
        *(secret for _, secret, _ in SECRETS),
        PEM,
        *PEM.split("\n"),
        *ORDINARY.split("\n"),
        "password = '",
        "secret: ",
        "'",
        '"',
        "://u:",
        "@",
        "\n",
        " ",
        "REDACTED_PASSWORD_1",
        "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.",
    ]
)
TEXTS = st.lists(st.one_of(FRAGMENTS, st.text(max_size=8)), max_size=12).map("".join)


@given(prompt=TEXTS, answer=TEXTS, language=st.sampled_from([None, "python", "yaml"]))
def test_redaction_is_idempotent(prompt: str, answer: str, language: str | None) -> None:
    once, _ = redact([prompt, answer], language)
    assert redact(once, language) == (once, {})


@given(before=TEXTS, after=TEXTS, number=st.integers(0, 3))
def test_no_vendor_token_survives_among_anything(before: str, after: str, number: int) -> None:
    text, secret, _ = SECRETS[number]
    (clean,), _ = redact([f"{before}\n{text}\n{after}"], None)
    assert secret not in clean


def test_metadata_loses_the_password_of_an_address() -> None:
    redactor = Redactor()
    example = Example(
        conversation("q\n\n```\na\n```", fence("b", "")),
        {"provenance": "https://bob:Hunter22x@example.invalid/r@1", "language": None, "groups": []},
    )
    assert "Hunter22x" not in redactor.clean(example).metadata["provenance"]
    assert redactor.to_json() == {"examples": 1, "by_kind": {"url_password": 1}}


def test_an_example_without_secrets_is_the_very_same_object() -> None:
    example = Example(conversation("q\n\n```\na\n```", fence("b", "")), {"language": "php", "groups": []})
    assert Redactor().clean(example) is example


@pytest.mark.slow
def test_a_build_writes_no_secret_counts_them_and_asks_no_network(
    stage1: Callable[..., Stage1Request], made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: Any, **_options: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    rows = [made.crossvul_row(n) for n in range(4)]
    for row in rows:
        for side in ("vulnerable_code", "fixed_code"):
            row[side] = row[side].replace("\n{\n", f"\n{{\n    $key = '{AWS}';\n")
    request = stage1(rows, [], context_lines=30)
    stats = build_stage1(request, made.silent)
    written = "".join(path.read_text() for path in request.out.iterdir())
    assert AWS not in written
    assert "REDACTED_AWS_KEY_1" in written
    assert stats["redacted"] == {"examples": 4, "by_kind": {"aws_key": 4}}


def test_a_fix_that_is_a_new_secret_is_no_example(
    stage1: Callable[..., Stage1Request], made: SimpleNamespace
) -> None:
    rows = [made.crossvul_row(n) for n in range(3)]
    old, new = "    $p = connect(password: 'tr0ub4dor&3');", "    $p = connect(password: 'n3w!s3cr3t&4');"
    target = rows[0]["vulnerable_code"].split("\n")[10]
    body = rows[0]["vulnerable_code"]
    rows[0] |= {"vulnerable_code": body.replace(target, old), "fixed_code": body.replace(target, new)}
    stats = build_stage1(stage1(rows, []), made.silent)
    assert stats["dropped"] == {"secret_only_in_answer": 1}
