"""The report: complete, self-contained, and deaf to what hostile reports say."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import Settings
from jobs.fs import files
from jobs.reporting.charts import loss_chart, sparkline
from jobs.reporting.page import write_report
from jobs.runs.delivery import Delivery
from jobs.runs.manifest import Input
from jobs.runs.store import Run, RunStore

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def run(settings: Settings) -> Run:
    inputs = (Input(name=HOSTILE, sha256=None, verdict="refused", reason="not a report"),)
    store = RunStore(settings.paths.models_dir)
    return store.create(settings, Delivery("d1", inputs), ["parse", "train_1"], lambda folder: None)


def trained(run: Run) -> None:
    for number in (1, 2):
        folder = run.folder.stage(number)
        files.private_folder(folder.evaluation)
        rows = [
            {"iteration": 0, "valid_loss": 4.0},
            {
                "iteration": 10,
                "train_loss": 3.0,
                "tokens_per_second": 99.0,
                "learning_rate": 1e-3,
                "peak_memory_gb": 1.5,
            },
            {"iteration": 10, "resumed": True},
            {
                "iteration": 20,
                "train_loss": 2.0,
                "tokens_per_second": 98.0,
                "learning_rate": 1e-3,
                "peak_memory_gb": 1.5,
            },
        ]
        files.write_jsonl(folder.metrics, rows)
    detail = {
        "id": "c1",
        "prompt": f"Fix {HOSTILE}",
        "reference": "fixed()",
        "models": {
            "base": {"text": HOSTILE, "exact_match": False},
            "stage2": {"text": "fixed()", "exact_match": True},
        },
    }
    files.write_json(run.folder.stage2.evaluation_results, {"detailed_results": [detail]})
    run.manifest.validation.stage2_score = 12.5
    run.manifest.stage1.dataset_stats = {"train_examples": 321, "dropped": {"near_duplicate": 7}}


def test_a_finished_run_has_its_curves_scores_counts_and_cases(run: Run) -> None:
    trained(run)
    page = write_report(run.folder, run.manifest).read_text()
    for text in ("12.5", "321", "7 near duplicate", "resumed", "Stage 2: loss", "fixed()", run.run_id):
        assert text in page


def test_a_run_that_has_hardly_begun_has_a_report_too_and_invents_nothing(run: Run) -> None:
    page = write_report(run.folder, run.manifest).read_text()
    assert "Nothing was evaluated" in page
    assert ">0.0<" not in page


def test_the_page_needs_nothing_else(run: Run) -> None:
    trained(run)
    page = write_report(run.folder, run.manifest).read_text()
    outside_of_plotly = page.replace(page[page.index("<script>") : page.index("</script>")], "")
    assert "http://" not in outside_of_plotly
    assert "https://" not in outside_of_plotly
    assert "src=" not in outside_of_plotly


def test_what_reports_and_models_say_is_escaped(run: Run) -> None:
    trained(run)
    page = write_report(run.folder, run.manifest).read_text()
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_a_resumed_training_is_marked_in_its_curve() -> None:
    chart = loss_chart([{"iteration": 5, "train_loss": 1.0}, {"iteration": 5, "resumed": True}], "t")
    assert [shape["x0"] for shape in chart["layout"]["shapes"]] == [5]


def test_a_sparkline_falls_where_the_loss_falls() -> None:
    assert sparkline([4.0, 3.0, 2.0, 1.0]) == "█▅▃▁"
    assert sparkline([1.0]) == ""
    assert len(sparkline([float(n) for n in range(1000)])) == 40


def test_reading_a_report_page_path_stays_inside_the_run(run: Run) -> None:
    assert write_report(run.folder, run.manifest) == Path(run.folder.root / "report.html")
