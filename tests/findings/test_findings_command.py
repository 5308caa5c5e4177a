from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from daemon.cli.application import app
from daemon.cli.commands import findings as command
from jobs.errors import NotFoundError
from jobs.findings.parse import Parsed
from jobs.fs import files
from jobs.runs.store import Run

Parse = Callable[..., Parsed]
RUNNER = CliRunner()


@pytest.fixture
def run(make_run: Callable[..., Run], parse: Parse, reports: dict[str, bytes], settings: Any,
        monkeypatch: pytest.MonkeyPatch) -> Run:  # fmt: skip
    """A run whose reports were read: one finding of each scanner."""
    monkeypatch.setenv("SECTUNE__PATHS__MODELS_DIR", str(settings.paths.models_dir))
    monkeypatch.setenv("SECTUNE__PATHS__STATE_DIR", str(settings.paths.state_dir))
    made = make_run()
    files.private_folder(made.folder.findings.parent)
    files.write_jsonl(made.folder.findings, (one.to_json() for one in parse(**reports).findings))
    return made


def chosen(run: Run, *options: str) -> list[dict[str, Any]]:
    result = RUNNER.invoke(app, ["findings", run.run_id, "--json", *options])
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert value["chosen"] == len(value["findings"])
    assert value["all"] == 5
    return list(value["findings"])


@pytest.mark.parametrize(
    ("options", "tools"),
    [
        ([], {"trivy", "semgrep", "osv", "zap", "checkov"}),
        (["--tool", "ZAP", "--tool", "trivy"], {"zap", "trivy"}),
        (["--severity", "low"], {"zap"}),
        (["--cwe", "330"], {"semgrep"}),
        (["--cwe", "CWE-614", "--cwe", "cwe-330"], {"zap", "semgrep"}),
        (["--package", "keyring*"], {"trivy", "osv"}),
        (["--package", "Keyring"], {"osv"}),
        (["--fix", "edit-tool"], {"semgrep"}),
        (["--fix", "version", "--tool", "osv"], {"osv"}),
        (["--tool", "zap", "--fix", "version"], set()),
    ],
)
def test_each_filter_chooses_and_together_they_narrow(run: Run, options: list[str], tools: set[str]) -> None:
    assert {finding["tool"] for finding in chosen(run, *options)} == tools


def test_a_person_gets_a_row_for_each_finding_the_worst_first(run: Run) -> None:
    result = RUNNER.invoke(app, ["findings", run.run_id])
    assert result.exit_code == 0
    rows = result.stdout.splitlines()
    assert rows[0].split() == ["severity", "tool", "rule", "cwe", "where", "fix", "title"]
    assert len(rows) == 6
    assert rows[-1].startswith(("info", "unknown", "low"))
    assert any("keyring-js 3.0.0" in row and "version 3.0.1" in row for row in rows)
    assert any("src/login.py:7" in row for row in rows)


@pytest.mark.parametrize("options", [["--severity", "awful"], ["--cwe", "x"], ["--fix", "magic"]])
def test_a_filter_that_cannot_be_is_a_usage_error(options: list[str]) -> None:
    names: dict[str, list[str] | None] = dict.fromkeys(("tool", "severity", "cwe", "package", "fix"))
    with pytest.raises(typer.BadParameter):
        command.parse_filter({**names, options[0].removeprefix("--"): [options[1]]})


def test_a_run_that_was_not_read_yet_says_so(run: Run) -> None:
    run.folder.findings.unlink()
    result = RUNNER.invoke(app, ["findings", run.run_id])
    assert isinstance(result.exception, NotFoundError)
    assert "not read yet" in str(result.exception)


def test_parse_takes_a_checkout_and_shows_warnings(tmp_path: Path, run: Run, make: Any) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "login.py").write_text("\n" * 6 + "challenge = b'constant'\n")
    report = tmp_path / "semgrep.json"
    report.write_text(
        json.dumps(make.semgrep_report(make.semgrep_result(lines="requires login"))) + "\nstale"
    )
    given = ["parse", str(report), "--source", str(tmp_path)]
    shown = RUNNER.invoke(app, given)
    assert "1 of 1 places were found in the checkout" in shown.stderr
    assert "stale text" in shown.stdout
    value = json.loads(RUNNER.invoke(app, [*given, "--json"]).stdout)
    assert value["findings"][0]["location"]["snippet"] == [[7, "challenge = b'constant'"]]


def test_the_setting_names_a_checkout_for_every_run(
    tmp_path: Path, make: Any, settings_with: Callable[..., Any]
) -> None:
    assert settings_with({"findings.source": str(tmp_path)}).findings.source == tmp_path
    assert settings_with({}).findings.source is None
