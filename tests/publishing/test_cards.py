from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.publishing import sanitize
from jobs.publishing.cards import model_card
from jobs.publishing.sanitize import private_traces, sanitise, short_label


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sanitize, "_machine_names", lambda: ("annika", "annikas-laptop.fritz.box"))
    monkeypatch.setattr(Path, "home", lambda: Path("/Users/annika lee"))


def metadata(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": "F.v1.0.en.dsA-B.00000000.11111111",
        "version": "1.0",
        "language": "en",
        "datasets": ["A", "B"],
        "base_model": "/Users/annika lee/models/OLMo-2-1B",
        "base_model_sha256": None,
        "metrics": {"stage1_score": 12.5, "retention_rate": None, "stage2": {"exact": 3}},
        "losses": {"stage1": {"final_train_loss": 1.23456789}},
        "adapters": [{"stage": "stage1", "path": "adapters/stage1/x", "sha256": "ab"}],
        "license": None,
    }
    return {**facts, **changes}


def front_matter(card: str) -> dict[str, Any]:
    values = yaml.safe_load(card.split("---\n")[1])
    assert isinstance(values, dict)
    return values


def test_the_front_matter_is_what_the_hub_reads() -> None:
    front = front_matter(model_card(metadata()))
    assert (front["language"], front["base_model"], front["datasets"]) == ("en", "OLMo-2-1B", ["A", "B"])
    assert "mlx" in front["tags"]


@pytest.mark.parametrize(
    ("training_type", "tags"),
    [
        ("sequential LoRA", ["mlx", "security", "lora", "sectune"]),
        ("sequential DoRA", ["mlx", "security", "dora", "sectune"]),
        ("sequential full fine-tuning", ["mlx", "security", "sectune"]),
        (None, ["mlx", "security", "sectune"]),
    ],
)
def test_the_tags_name_the_method_that_was_used(training_type: str | None, tags: list[str]) -> None:
    assert front_matter(model_card(metadata(training_type=training_type)))["tags"] == tags


def test_a_licence_is_stated_only_where_it_is_known() -> None:
    assert "license" not in front_matter(model_card(metadata()))
    assert front_matter(model_card(metadata(license="apache-2.0")))["license"] == "apache-2.0"


def test_what_was_not_measured_is_called_so() -> None:
    card = model_card(metadata())
    assert "| retention_rate | not measured |" in card
    assert "| stage1_score | 12.5 |" in card
    assert "| stage2.exact | 3 |" in card
    assert "| stage1.final_train_loss | 1.23457 |" in card


def test_nothing_of_the_machine_or_its_owner_is_left_in_a_card() -> None:
    secretive = {
        "data": "/Volumes/Work/annika/train",
        "host": "annikas-laptop",
        "note": "by Annika on annikas-laptop.fritz.box, see ~/notes/x and C:\\Users\\annika\\y",
        "url": "file:///home/annika/z",
        "copied": "from laptop:/Volumes/Work/x and PATH=/Users/annika lee/bin",
    }
    card = model_card(metadata(training_configuration=secretive))
    assert "annika" not in card.lower()
    for piece in ("Volumes", "notes", "Users", "/home"):
        assert piece not in card
    assert private_traces(card) == []


def test_hostile_values_stay_inside_their_cell() -> None:
    hostile = {"a|b": "x\n# heading <script>alert(1)</script> `code` | more"}
    card = model_card(metadata(training_configuration=hostile, license="mit\nevil: true"))
    assert "<script>" not in card
    assert "\n# heading" not in card
    assert set(front_matter(card)) <= {
        "language", "license", "base_model", "datasets", "library_name", "pipeline_tag", "tags",
    }  # fmt: skip


def test_a_card_needs_nothing_but_name_language_and_data_sets() -> None:
    card = model_card({"name": "N", "language": "en", "datasets": []})
    assert card.startswith("---\nlanguage: en\n")
    assert "# N\n" in card


@pytest.mark.parametrize(
    "harmless",
    [
        "https://huggingface.co/allenai/OLMo-2-0425-1B-Instruct",
        "allenai/OLMo-2-0425-1B-Instruct",
        "3/4 of the cases and/or none",
        "adapters/stage1/adapters.safetensors",
        "application/json",
        "</path/to>",
        "localhost:8080/a/b",
        "Annikas Modell",
    ],
)
def test_web_addresses_names_and_fractions_are_left_as_they_are(harmless: str) -> None:
    assert sanitise(harmless) == harmless
    assert private_traces(harmless) == []


@pytest.mark.parametrize(
    "path", ["/srv/models/OLMo", "/Users/annika lee/x/OLMo", "C:\\models\\OLMo", "~/m/OLMo"]
)
def test_a_path_is_labelled_by_its_last_part(path: str) -> None:
    assert short_label(path) == "OLMo"


def test_names_that_name_nobody_are_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sanitize, "_machine_names", lambda: ("root", "localhost"))
    assert sanitise("the root cause on localhost") == "the root cause on localhost"
