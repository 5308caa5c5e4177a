from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import NotFoundError
from jobs.registry.catalogue import find_model, list_models
from jobs.registry.current import activate
from jobs.registry.entry import Certification, certify

Finished = Callable[..., Certification]


@pytest.fixture
def names(registry: Path, finished: Finished) -> list[str]:
    names = [certify(registry, finished(seed)).name for seed in (1, 2)]
    activate(registry, names[1], "better")
    return names


def test_each_model_is_listed_with_its_scores_and_the_one_in_use_is_marked(
    registry: Path, names: list[str]
) -> None:
    rows = {row.name: row for row in list_models(registry)}
    assert set(rows) == set(names)
    assert {name: row.current for name, row in rows.items()} == {names[0]: False, names[1]: True}
    row = rows[names[0]]
    assert (row.stage1_exact_match_percentage, row.stage2_exact_match_percentage) == (25.0, 50.0)
    assert row.retention_rate is None
    assert row.base_model == "Tiny-OLMo-2"
    assert row.created is not None
    assert row.problem is None


def test_one_unreadable_entry_does_not_hide_the_others(registry: Path, names: list[str]) -> None:
    (registry / names[0] / "metadata.json").write_text("{")
    (registry / "notes").mkdir()
    rows = {row.name: row.problem for row in list_models(registry)}
    assert "metadata.json" in (rows[names[0]] or "")
    assert "not a certified" in (rows["notes"] or "")
    assert rows[names[1]] is None


def test_an_empty_or_missing_registry_lists_nothing(tmp_path: Path) -> None:
    assert list_models(tmp_path) == []
    assert list_models(tmp_path / "missing") == []


def test_a_model_is_found_by_name_by_its_weights_hash_and_as_current(
    registry: Path, names: list[str]
) -> None:
    assert find_model(registry, names[0]) == registry / names[0]
    assert find_model(registry, names[0].rsplit(".", 1)[1]) == registry / names[0]
    assert find_model(registry, "CURRENT") == registry / names[1]


def test_an_ambiguous_or_unknown_name_is_not_found_and_says_why(registry: Path, names: list[str]) -> None:
    with pytest.raises(NotFoundError, match="could be any") as caught:
        find_model(registry, "WebAuthn")
    assert all(name in str(caught.value) for name in names)
    for text in ("Nothing", "", "../etc"):
        with pytest.raises(NotFoundError, match="no certified model"):
            find_model(registry, text)


def test_current_is_not_found_before_an_activation(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="No model is in use"):
        find_model(tmp_path, "CURRENT")
