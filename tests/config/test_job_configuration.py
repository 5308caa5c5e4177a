"""The universal job configuration: ranges at both ends, and what settings become."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from config.errors import SettingsError
from config.job import (
    SETTING_OF,
    ConfigurationError,
    Data,
    DataReference,
    JobConfiguration,
    fields,
    of_stage,
    read,
    setting_of,
)
from config.load import leaf_names
from config.settings import Settings

SettingsWith = Callable[[Mapping[str, str]], Settings]
# The design page's limits (least, most, default), and ours where it names none.
RANGES: dict[str, tuple[float, float | None, Any]] = {
    "method.lora.rank": (1, 256, 8),
    "method.lora.alpha": (1, 512, 16),
    "method.lora.dropout": (0, 1, 0),
    "schedule.epochs": (1, 20, None),  # 3, where iters are not given either
    "schedule.iters": (1, None, None),
    "schedule.batch_size": (1, 64, 4),
    "schedule.sequence_length": (512, 33_000, 2048),
    "schedule.gradient_accumulation": (1, 16, 1),
    "schedule.checkpoints": (0, 10, 1),
    "schedule.evaluations": (0, 20, 1),
    "optimizer.learning_rate": (0, 1, 1e-5),
    "optimizer.scheduler.min_lr_ratio": (0, 1, 0),
    "optimizer.scheduler.warmup_ratio": (0, 1, 0),
    "optimizer.scheduler.cycles": (0.5, 10, 0.5),
    "optimizer.weight_decay": (0, 1, 0),
    "optimizer.max_gradient_norm": (0, 10, 1),
    "hardware.machines": (1, 64, 1),
}
ENDS = [(key, end) for key, (least, most, _) in RANGES.items() for end in (least, most) if end is not None]


def schema_of(field: FieldInfo) -> dict[str, Any]:
    schema = TypeAdapter(Annotated[(field.annotation, *field.metadata, None)]).json_schema()
    return {**schema, **schema.get("anyOf", [{}])[0]}


def with_value(key: str, value: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"model": {"base_model": "m"}}
    *groups, last = key.split(".")
    reduce(lambda inner, group: inner.setdefault(group, {}), groups, values)[last] = value
    return values


def got(configuration: JobConfiguration, key: str) -> Any:
    return reduce(getattr, key.split("."), configuration)


def beyond(key: str, end: float) -> float:
    whole = schema_of(dict(fields())[key])["type"] == "integer"
    step = 1 if whole else 1e-9
    return end - step if end == RANGES[key][0] else end + step


def refused(key: str, value: float) -> list[str]:
    """The keys that are complained of; none where the value arrives."""
    try:
        made = read(with_value(key, value))
    except ConfigurationError as error:
        return [problem.key for problem in error.problems]
    return [] if got(made, key) == value else ["another value arrived"]


def test_every_number_of_the_configuration_has_its_range_and_default_in_the_table() -> None:
    found = {}
    for key, field in fields():
        schema = schema_of(field)
        if schema.get("type") in ("integer", "number"):
            found[key] = (schema.get("minimum"), schema.get("maximum"), field.default)
    assert found == RANGES


@pytest.mark.parametrize(("key", "end"), ENDS)
def test_the_ends_belong_to_a_range_and_what_is_beyond_is_refused_by_name(key: str, end: float) -> None:
    assert got(read(with_value(key, end)), key) == end
    with pytest.raises(ConfigurationError) as caught:
        read(with_value(key, beyond(key, end)))
    assert [problem.key for problem in caught.value.problems] == [key]


@pytest.mark.parametrize("key", RANGES)
@given(data=st.data())
def test_any_number_inside_is_taken_and_any_outside_refused(key: str, data: st.DataObject) -> None:
    least, most, _ = RANGES[key]
    whole = schema_of(dict(fields())[key])["type"] == "integer"
    numbers = st.integers(-(10**6), 10**6) if whole else st.floats(-1000, 1000, allow_nan=False)
    value = data.draw(numbers)
    inside = least <= value and (most is None or value <= most)
    assert refused(key, value) == ([] if inside else [key])


@pytest.mark.parametrize(("key", "end"), [(key, end) for key, end in ENDS if key in SETTING_OF])
def test_the_settings_have_the_same_ranges(key: str, end: float, settings_with: SettingsWith) -> None:
    name = str(setting_of(key, 1))
    assert got(of_stage(settings_with({name: repr(end)}), 1), key) == end
    with pytest.raises(SettingsError, match=name):
        settings_with({name: repr(beyond(key, end))})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), True, "many", [1]])
@pytest.mark.parametrize("key", RANGES)
def test_what_is_no_number_is_refused(key: str, bad: Any) -> None:
    with pytest.raises(ConfigurationError):
        read(with_value(key, bad))


def test_the_shape_is_told_before_the_ranges() -> None:
    wrong = {"model": {"base_model": "m"}, "schedule": {"batch_size": 0, "iterations": 3}, "colour": "red"}
    with pytest.raises(ConfigurationError) as caught:
        read(wrong)
    assert {problem.key for problem in caught.value.problems} == {"schedule.iterations", "colour"}
    with pytest.raises(ConfigurationError) as caught:
        read({"model": {"base_model": "m"}, "schedule": {"batch_size": 0, "sequence_length": 511}})
    assert {problem.key for problem in caught.value.problems} == {
        "schedule.batch_size",
        "schedule.sequence_length",
    }


def test_epochs_and_iters_are_not_given_together_and_three_epochs_are_meant_by_neither() -> None:
    with pytest.raises(ConfigurationError, match="one of them"):
        read({"model": {"base_model": "m"}, "schedule": {"epochs": 2, "iters": 5}})
    assert read({"model": {"base_model": "m"}}).schedule.epochs == 3
    assert read({"model": {"base_model": "m"}, "schedule": {"iters": 5}}).schedule.epochs is None


def test_the_settings_of_a_stage_become_a_job_configuration(settings_with: SettingsWith) -> None:
    settings = settings_with({"stage1.learning_rate": "1e-3", "training.grad_checkpoint": "true"})
    first, second = of_stage(settings, 1), of_stage(settings, 2)
    assert (first.schedule.iters, second.schedule.iters) == (5000, 1600)
    assert (first.optimizer.learning_rate, second.optimizer.learning_rate) == (1e-3, 4e-6)
    assert first.optimizations == ("gradient_checkpointing",)
    assert first.schedule.train_on_inputs == "disabled"
    assert first.optimizer.max_gradient_norm == 0.0  # null in the settings: never
    assert first.method.lora is not None
    assert first.method.lora.model_dump() == settings.training.lora.model_dump()
    assert first.metadata["seed"] == 42


def test_a_full_training_has_no_adapter_shape(settings_with: SettingsWith) -> None:
    assert of_stage(settings_with({"training.method": "full"}), 1).method.lora is None


def test_base_model_and_data_are_named_once_they_are_there(settings: Settings) -> None:
    data = Data(training=DataReference(sha256="0" * 64))
    made = of_stage(settings, 1, "/models/tiny", data)
    assert (made.model.base_model, made.datasets) == ("/models/tiny", data)


def test_every_setting_that_a_job_is_made_of_exists() -> None:
    names = {setting_of(key, number) for key in SETTING_OF for number in (1, 2)}
    assert names <= set(leaf_names())
    assert setting_of("output.suffix", 1) is None


def test_every_setting_of_training_and_stages_is_part_of_a_job_or_meant_for_the_chain() -> None:
    of_jobs = {setting_of(key, number) for key in SETTING_OF for number in (1, 2)}
    asked = {name for name in leaf_names() if name.split(".")[0] in ("training", "stage1", "stage2")}
    for_the_chain = {
        name for name in asked if name.split(".")[1] in ("reuse_stage1", "preload_library", "provider")
    }
    assert asked - of_jobs == for_the_chain


def test_a_job_configuration_survives_being_written_down(settings: Settings) -> None:
    made = of_stage(settings, 2)
    assert read(json.loads(made.model_dump_json())) == made


def test_every_key_is_described() -> None:
    assert [key for key, field in fields() if not field.description] == []
