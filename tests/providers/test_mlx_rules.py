"""What MLX says of a job configuration beyond its shape and the universal ranges, and how it is found."""

from __future__ import annotations

import copy
import json
from functools import reduce
from typing import Any

import pytest

from config.job import read
from config.load import default_values
from jobs.children.request import to_json
from jobs.errors import NotFoundError
from jobs.providers.known import PROVIDERS, find_provider
from jobs.providers.mlx.parameters import MlxParameters
from jobs.providers.mlx.provider import Mlx
from jobs.providers.mlx.request import training_request
from jobs.providers.provider import Training


def keys(problems: tuple[Any, ...]) -> set[str]:
    return {problem.key for problem in problems}


def request_for(values: dict[str, Any], training: Training) -> dict[str, Any]:
    """The request that the trainer gets, as JSON."""
    return to_json(training_request(read(values), training))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"method.lora.dropout": 1.0}, "method.lora.dropout"),
        ({"optimizer.learning_rate": 0.0}, "optimizer.learning_rate"),
        ({"schedule.iters": 3, "schedule.gradient_accumulation": 4}, "schedule.gradient_accumulation"),
        ({"metadata.checkpoint_every": 5}, "schedule.checkpoints"),
        ({"metadata.evaluate_every": 5}, "schedule.evaluations"),
        ({"metadata.num_layers": 0}, "metadata.num_layers"),
        ({"metadata.seed": -1}, "metadata.seed"),
    ],
)
def test_mlx_is_stricter_than_the_universal_ranges(
    changes: dict[str, Any], key: str, training: Training, plain: dict[str, Any]
) -> None:
    assert keys(Mlx().validate(changed(plain, changes), training).errors) == {key}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"schedule.checkpoints": 0}, "schedule.checkpoints"),
        ({"schedule.evaluations": 0}, "schedule.evaluations"),
        ({"schedule.gradient_accumulation": 3}, "schedule.gradient_accumulation"),
        ({"method.type": "full", "method.lora.rank": 4}, "method.lora"),
        (
            {"optimizer.scheduler.type": "linear", "optimizer.scheduler.cycles": 2},
            "optimizer.scheduler.cycles",
        ),
        (
            {"optimizer.scheduler.type": "constant", "optimizer.scheduler.min_lr_ratio": 0.5},
            "optimizer.scheduler.min_lr_ratio",
        ),
        ({"optimizer.scheduler.type": "constant_with_warmup"}, "optimizer.scheduler.warmup_ratio"),
    ],
)
def test_what_has_no_effect_is_said(
    changes: dict[str, Any], key: str, training: Training, plain: dict[str, Any]
) -> None:
    verdict = Mlx().validate(changed(plain, changes), training)
    assert (verdict.errors, keys(verdict.warnings)) == ((), {key})


def changed(plain: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    values = copy.deepcopy(plain)
    for key, value in changes.items():
        *groups, last = key.split(".")
        reduce(lambda inner, group: inner.setdefault(group, {}), groups, values)[last] = value
    return values


def test_no_checkpoints_and_no_evaluations_never_come(training: Training, plain: dict[str, Any]) -> None:
    changes = {"schedule.checkpoints": 0, "schedule.evaluations": 0}
    params = request_for(changed(plain, changes), training)["params"]
    assert (params["save_every"], params["steps_per_eval"]) == (21, 21)


def test_qlora_needs_a_quantised_base_and_full_an_unquantised_one(
    training: Training, plain: dict[str, Any]
) -> None:
    (training.base_model / "config.json").write_text('{"quantization": {"bits": 4, "group_size": 64}}')
    values = plain
    values["model"]["precision"] = "int4"
    for method, errors in (("qlora", set()), ("lora", set()), ("dora", set()), ("full", {"method.type"})):
        values["method"] = {"type": method}
        assert keys(Mlx().validate(values, training).errors) == errors
    values["method"] = {"type": "qlora"}
    assert request_for(values, training)["params"]["fine_tune_type"] == "lora"  # mlx-lm's word


def test_a_full_training_of_16_bit_weights_is_warned_of(training: Training, plain: dict[str, Any]) -> None:
    weights = training.base_model / "model.safetensors"
    weights.write_bytes(weights.read_bytes().replace(b'"F32"', b'"F16"'))
    values = plain
    values["method"] = {"type": "full"}
    verdict = Mlx().validate(values, training)
    assert (verdict.errors, keys(verdict.warnings)) == ((), {"method.type"})


def test_a_base_model_that_is_not_here_yet_is_a_warning(training: Training, plain: dict[str, Any]) -> None:
    values = plain
    values["model"]["base_model"] = "not-fetched"
    verdict = Mlx().validate(values)
    assert (verdict.errors, keys(verdict.warnings)) == ((), {"model.base_model"})


def test_data_that_nobody_named_is_refused(training: Training, plain: dict[str, Any]) -> None:
    values = plain
    del values["datasets"]["validation"]
    assert keys(Mlx().validate(values, training).errors) == {"datasets.validation"}
    (training.data / "valid.jsonl").write_text("")
    assert Mlx().validate(values, training).errors == ()


def test_shape_and_ranges_are_told_before_the_providers_own_rules(
    training: Training, plain: dict[str, Any]
) -> None:
    values = plain
    values["optimizer"] = {"learning_rate": 0.0}
    values["schedule"]["batch_size"] = 65
    assert keys(Mlx().validate(values, training).errors) == {"schedule.batch_size"}
    values["colour"] = "red"
    assert keys(Mlx().validate(values, training).errors) == {"colour"}
    assert Mlx().validate({}, training).errors[0].key == "model"


def test_an_unknown_parameter_comes_with_the_one_that_was_meant(
    training: Training, plain: dict[str, Any]
) -> None:
    values = {**plain, "metadata": {"batch_token": 4096}}
    (problem,) = Mlx().validate(values, training).errors
    assert problem.key == "metadata.batch_token"
    assert "metadata.batch_tokens" in problem.remedy


def test_the_capabilities_list_every_method_and_parameter_with_its_default() -> None:
    told = Mlx().capabilities()
    by_name = {parameter.name: parameter for parameter in told.parameters}
    assert set(by_name) == set(MlxParameters.model_fields)
    assert by_name["report_every"].default == default_values()["training"]["report_every"]
    assert by_name["batch_tokens"].limits == ">= 128"
    assert by_name["batch_tokens"].type == "integer or null"
    assert all(parameter.description for parameter in by_name.values())
    assert set(told.methods) == {"lora", "qlora", "dora", "full"}
    assert json.loads(json.dumps(told.to_json()))["provider"] == "mlx"


def test_a_provider_is_found_by_its_name() -> None:
    assert find_provider("mlx") is PROVIDERS["mlx"]
    with pytest.raises(NotFoundError, match="mlx"):
        find_provider("cloud")


def test_what_a_job_does_not_say_has_the_settings_default(training: Training, plain: dict[str, Any]) -> None:
    request = request_for(plain, training)
    assert request["seed"] == default_values()["seed"]
    assert request["params"]["num_layers"] == default_values()["training"]["num_layers"]
