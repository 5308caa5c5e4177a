"""Training with MLX in a child process: what it can do, its jobs, and the comparison afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.job import ConfigurationError, JobConfiguration, read
from jobs.children import life, parent
from jobs.children.request import to_json
from jobs.children.task import Task
from jobs.clock import now
from jobs.errors import OperatorError
from jobs.providers.mlx import checks, parameters, request, status
from jobs.providers.provider import (
    Capabilities,
    Handle,
    JobStatus,
    Limit,
    Training,
    Translation,
    Verdict,
    Workplace,
)

METHODS = {
    "lora": "low-rank matrices beside the weights; the base model as it is, quantised or not",
    "qlora": "lora, and the base model must be quantised",
    "dora": "lora with a learned magnitude for each row; the base model as it is, quantised or not",
    "full": "the weights themselves: the last num_layers blocks, or everything for -1; not quantised",
}


class Mlx:
    """The provider that this machine is."""

    name = "mlx"
    uses_device = True

    def capabilities(self) -> Capabilities:
        """What MLX can do here."""
        return Capabilities(
            provider=self.name,
            description="This machine, with mlx-lm in a child process; exact resume, one training at a time.",
            methods=METHODS,
            optimizers=("adamw",),
            schedulers=tuple(request.SCHEDULERS),
            precisions=checks.PRECISIONS,
            optimizations=checks.HONOURED,
            always=checks.ALWAYS,
            limits=(
                Limit("method.lora.dropout", "below 1", "at 1 nothing reaches the adapter"),
                Limit("optimizer.learning_rate", "above 0", "at 0 nothing is learned"),
                Limit("hardware.machines", "as in metadata.hosts", "a job is given the machines it names"),
            ),
            parameters=parameters.describe_parameters(),
        )

    def validate(
        self, configuration: JobConfiguration | Mapping[str, Any], training: Training | None = None
    ) -> Verdict:
        """Shape, then ranges, then what MLX can do with it on this base model and this data."""
        if not isinstance(configuration, JobConfiguration):
            try:
                configuration = read(configuration)
            except ConfigurationError as error:
                return Verdict(errors=tuple(error.problems))
        return checks.verdict(configuration, training)

    def translate(self, configuration: JobConfiguration, training: Training) -> Translation:
        """mlx-lm's words for it, and what identifies the result: request, code and libraries."""
        asked = request.training_request(configuration, training)
        return Translation(to_json(asked.params), request.fingerprint(asked))

    def start(self, configuration: JobConfiguration, training: Training, workplace: Workplace) -> Handle:
        """Start the training child, or find the one that does this job already.

        Raises:
            OperatorError: The job is refused.
            DeviceBusy: Another process holds the device.
        """
        if errors := self.validate(configuration, training).errors:
            raise OperatorError(f"MLX cannot train this: {' '.join(map(str, errors))}")
        task = Task(
            module=request.MODULE,
            work=workplace.work,
            payload=request.training_request(configuration, training),
            log=workplace.log,
            facts=workplace.facts,
            device_lock=workplace.device_lock,
            preload=workplace.preload,
        )
        handle = Handle(self.name, task.key, task.work).save()
        parent.start(task, workplace.stopping)
        return handle

    def status(self, handle: Handle, history: bool = False) -> JobStatus:
        """Where a training is, from what its child left in its folder."""
        return status.status(handle, history)

    def cancel(self, handle: Handle) -> bool:
        """End a training behind a checkpoint; False if none runs."""
        if not life.works_on(handle.work, handle.id):
            return False
        Handle(handle.provider, handle.id, handle.work, cancelled_at=now()).save()
        return parent.end(handle.work)

    def mismatches(self, configuration: JobConfiguration, training: Training) -> list[str]:
        """What differs between the trainer's request and the written adapter folder."""
        return request.differences(request.training_request(configuration, training))
