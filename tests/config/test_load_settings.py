"""Loading: layers, origins, and every mistake at once."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import SettingsError
from config.load import complete, default_values, leaf_names, load, user_file
from config.settings import Settings


def problems_of(path: Path | None = None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ or {})
    return caught.value.problems


def test_the_defaults_alone_are_valid_and_complete() -> None:
    loaded = load(environ={})
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == set(leaf_names())
    assert loaded.settings.stage1.learning_rate == 2.0e-5


def test_every_default_has_a_sentence_directly_above_it() -> None:
    lines = resources.files("config").joinpath("defaults.yaml").read_text(encoding="utf-8").splitlines()
    keys = [at for at, line in enumerate(lines) if re.match(r"^ *\w+: *\S", line)]
    assert len(keys) == len(leaf_names())
    for at in keys:
        comment = lines[at - 1].strip()
        assert re.match(r"^# .*\.$", comment), f"no sentence above {lines[at].strip()!r}"


def test_no_default_lives_in_the_model() -> None:
    def with_defaults(section: type) -> list[str]:
        fields = section.model_fields.items()  # type: ignore[attr-defined]
        inner = [field.annotation for _, field in fields if hasattr(field.annotation, "model_fields")]
        own = [name for name, field in fields if not field.is_required()]
        return own + [name for deeper in inner for name in with_defaults(deeper)]

    assert with_defaults(Settings) == []


def test_all_mistakes_of_file_and_environment_are_shown_together(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("stage1:\n  itres: 5\n  batch_size: 0\ntraining:\n  lora:\n    rank: 1000\ncolour: red\n")
    problems = problems_of(path, {"SECTUNE__STAGE2__LEARNIG_RATE": "1e-5", "SECTUNE__SEED": "many"})
    text = "\n".join(problems)
    assert len(problems) == 6
    assert f"{path}: there is no setting 'stage1.itres'; did you mean 'stage1.iters'?" in problems
    assert f"{path}: there is no setting 'colour'" in problems
    assert (
        "SECTUNE__STAGE2__LEARNIG_RATE: there is no setting 'stage2.learnig_rate'; "
        "did you mean 'stage2.learning_rate'?" in problems
    )
    for start in (f"{path}: stage1.batch_size: ", f"{path}: training.lora.rank: ", "SECTUNE__SEED: seed: "):
        assert start in text


def test_a_misspelt_section_names_the_section_that_was_meant() -> None:
    assert problems_of(environ={"SECTUNE__TRAINNING": "{lora: {rank: 2}}"}) == [
        "SECTUNE__TRAINNING: there is no setting 'trainning'; did you mean 'training'?"
    ]


def test_a_key_without_its_section_names_the_full_key() -> None:
    assert (
        "did you mean 'training.max_seq_length'?" in problems_of(environ={"SECTUNE__MAX_SEQ_LENGTH": "1"})[0]
    )


def test_a_value_in_the_place_of_a_section_is_refused() -> None:
    assert "'inbox' is a section" in problems_of(environ={"SECTUNE__INBOX": "5"})[0]


@pytest.mark.parametrize("text", ["2e-5", "2E-05", "0.00002", "'2e-5'"])
def test_a_rate_that_yaml_reads_as_text_becomes_a_number(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"stage1: {{learning_rate: {text}}}\n")
    rate = load(path, {}).settings.stage1.learning_rate
    assert isinstance(rate, float)
    assert rate == 2e-5


@given(st.floats(min_value=1e-12, max_value=1.0))
def test_every_rate_survives_its_way_through_the_environment(rate: float) -> None:
    assert load(environ={"SECTUNE__STAGE1__LEARNING_RATE": repr(rate)}).settings.stage1.learning_rate == rate


@pytest.mark.parametrize("value", ["yes", "true", "on", ".nan", ".inf", "", "[1]"])
def test_what_is_no_number_is_not_taken_for_one(value: str) -> None:
    assert len(problems_of(environ={"SECTUNE__STAGE1__LEARNING_RATE": value})) == 1


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("stage1: {iters: 7, batch_size: 2}\n")
    loaded = load(path, {"SECTUNE__STAGE1__ITERS": "9"})
    assert (loaded.settings.stage1.iters, loaded.settings.stage1.batch_size) == (9, 2)
    assert loaded.origins["stage1.iters"] == "SECTUNE__STAGE1__ITERS"
    assert loaded.origins["stage1.batch_size"] == str(path)
    assert loaded.origins["stage2.iters"] == "default"


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    assert "there is no such settings file" in problems_of(tmp_path / "absent.yaml")[0]
    missing = {"SECTUNE_CONFIG": str(tmp_path / "absent.yaml")}
    assert "there is no such settings file" in problems_of(environ=missing)[0]
    assert load(environ={"SECTUNE_CONFIG": ""}).settings.seed == 42


@pytest.mark.parametrize("text", ["stage1: [", "- a\n- b\n", "stage1: {iters: }{"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert problems_of(path)[0].startswith(f"{path}: ")


def test_the_users_file_is_found_through_its_variable(tmp_path: Path) -> None:
    assert user_file({"SECTUNE_CONFIG": str(tmp_path / "a.yaml")}) == tmp_path / "a.yaml"
    assert user_file({}).name == "config.yaml"


@pytest.mark.parametrize(
    "name", ["paths.inbox", "paths.models_dir", "paths.state_dir", "training.preload_library"]
)
def test_paths_are_absolute_whatever_folder_the_daemon_starts_in(name: str, isolated_home: Path) -> None:
    variable = f"SECTUNE__{name.upper().replace('.', '__')}"
    assert "must be an absolute path" in problems_of(environ={variable: "some/folder"})[0]
    section, key = name.split(".")
    loaded = load(environ={variable: "~/x"})
    assert getattr(getattr(loaded.settings, section), key) == isolated_home / "x"


def test_a_relative_data_folder_is_refused() -> None:
    assert (
        "absolute path" in problems_of(environ={"SECTUNE__DATASETS__SOURCES__CROSSVUL__SOURCE": "./data"})[0]
    )


def test_sections_that_contradict_themselves_are_refused() -> None:
    assert "upload.repository" in problems_of(environ={"SECTUNE__UPLOAD__ENABLED": "true"})[0]
    both = {"SECTUNE__DATASETS__VALID_FRACTION": "0.3", "SECTUNE__DATASETS__TEST_FRACTION": "0.3"}
    assert "less than half" in problems_of(environ=both)[0]


def test_stored_settings_get_the_defaults_of_what_did_not_exist_then() -> None:
    stored = load(environ={"SECTUNE__STAGE1__ITERS": "9"}).settings.model_dump(mode="json")
    del stored["queue"]["max_attempts"], stored["log"]
    again = complete(stored)
    assert again.stage1.iters == 9
    assert again.queue.max_attempts == default_values()["queue"]["max_attempts"]
    with pytest.raises(SettingsError, match=r"no setting 'stage1\.colour'"):
        complete({**stored, "stage1": {"colour": "red"}})


def test_settings_survive_their_json() -> None:
    settings = load(environ={}).settings
    assert complete(settings.model_dump(mode="json")) == settings
