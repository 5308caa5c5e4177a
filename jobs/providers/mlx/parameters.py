"""What MLX takes in `metadata` beyond the universal job configuration, with limits and meaning."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import reduce
from typing import Annotated, Any

from pydantic import Field, ValidationError

from config import ranges
from config.job import SETTING_OF, JobConfiguration, Problem, problems_of
from config.load import default_values
from config.ranges import PositiveInt
from config.section import Section
from jobs.providers.provider import Parameter

LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


class MlxParameters(Section):
    """MLX's own parameters."""

    seed: Annotated[ranges.Seed, Field(description="Seed of adapter, dropout and order of batches.")]
    num_layers: Annotated[
        ranges.AllOrSome, Field(description="Transformer blocks that are trained, from the last; -1 all.")
    ]
    batch_tokens: Annotated[
        ranges.BatchTokens | None,
        Field(description="Fill batches up to this many padded tokens; null means batch_size examples."),
    ]
    report_every: Annotated[PositiveInt, Field(description="Iterations between reports.")]
    checkpoint_every: Annotated[
        PositiveInt, Field(description="Iterations between checkpoints, where schedule.checkpoints is null.")
    ]
    evaluate_every: Annotated[
        PositiveInt, Field(description="Iterations between validations, where schedule.evaluations is null.")
    ]
    valid_batches: Annotated[ranges.AllOrSome, Field(description="Batches per validation; -1 means all.")]
    keep_best: Annotated[bool, Field(description="Keep the weights of the lowest validation loss.")]
    early_stopping_patience: Annotated[
        PositiveInt | None, Field(description="Validations without a lower loss before it stops.")
    ]
    hosts: Annotated[
        ranges.Hosts, Field(description="Hosts that train together, this one first; empty means alone.")
    ]
    launch_backend: Annotated[
        ranges.LaunchBackend, Field(description="How the hosts' processes talk to each other: ring or mpi.")
    ]
    launch_port: Annotated[
        ranges.LaunchPort, Field(description="First port of the ring; each process takes the next one.")
    ]
    memory_limit_gb: Annotated[
        ranges.SomeGigabytes | None, Field(description="Most memory MLX should use, in GB.")
    ]
    cache_limit_gb: Annotated[
        ranges.Gigabytes | None, Field(description="Most freed memory MLX may keep, in GB.")
    ]
    wired_limit_gb: Annotated[
        ranges.SomeGigabytes | None, Field(description="Most memory that may be wired, in GB (Apple).")
    ]


def parameters_of(configuration: JobConfiguration) -> MlxParameters:
    """MLX's parameters of a job; what it does not say has the default of the settings.

    Raises:
        ValidationError: One is unknown, or outside of its range.
    """
    return MlxParameters.model_validate({**_defaults(), **configuration.metadata})


def problems(configuration: JobConfiguration) -> Iterator[Problem]:
    """What is wrong with the `metadata` of a job."""
    try:
        parameters_of(configuration)
    except ValidationError as error:
        for problem in problems_of(error):
            known = problem.key in MlxParameters.model_fields
            message = problem.message if known else "MLX has no such parameter."
            yield Problem(f"metadata.{problem.key}", message, "" if known else _suggest(problem.key))


def describe_parameters() -> tuple[Parameter, ...]:
    """MLX's parameters as its capabilities tell them."""
    defaults, schemas = _defaults(), MlxParameters.model_json_schema()["properties"]
    return tuple(
        Parameter(name, _type(schema), schema["description"], defaults[name], _limits(schema))
        for name, schema in schemas.items()
    )


def _defaults() -> dict[str, Any]:
    values = default_values()
    return {
        name: reduce(lambda section, key: section[key], SETTING_OF[f"metadata.{name}"].split("."), values)
        for name in MlxParameters.model_fields
    }


def _suggest(name: str) -> str:
    close = difflib.get_close_matches(name, MlxParameters.model_fields, n=1, cutoff=0.6)
    return f"Did you mean metadata.{close[0]}?" if close else "`sectune providers show mlx` lists them."


def _type(schema: dict[str, Any]) -> str:
    return " or ".join(str(option["type"]) for option in schema.get("anyOf", [schema]))


def _limits(schema: dict[str, Any]) -> str:
    found = {**schema, **schema.get("anyOf", [{}])[0]}
    return ", ".join(f"{sign} {found[name]}" for name, sign in LIMITS.items() if name in found)
