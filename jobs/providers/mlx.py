"""Training with MLX in a child process: our settings in mlx-lm's own words, and the comparison after."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.settings import Settings
from jobs.providers.provider import Training
from jobs.runs.validation import check_adapters


class Mlx:
    """The provider that this machine is."""

    name = "mlx"
    module = "jobs.mlx.train"

    def translate(self, settings: Settings, training: Training) -> dict[str, Any]:
        """The training child's request.

        mlx-lm's LoRA `scale` is alpha / rank, and its `keys` are relative to a block.
        """
        return {
            "stage": training.stage,
            "model": str(training.base_model),
            "data": str(training.data),
            "data_sha256": training.data_sha256,
            "adapters": str(training.adapters),
            "metrics": str(training.metrics),
            "resume_adapter_file": str(training.start_from[0]) if training.start_from else None,
            "resume_sha256": training.start_from[1] if training.start_from else None,
            "seed": settings.seed,
            "params": self._parameters(settings, training.stage),
        }

    def _parameters(self, settings: Settings, number: int) -> dict[str, Any]:
        stage, common = settings.stage(number), settings.training
        return {
            "iters": stage.iters,
            "learning_rate": stage.learning_rate,
            "batch_size": stage.batch_size,
            "batch_tokens": common.batch_tokens,
            "lr_schedule": common.schedule.model_dump(),
            "max_gradient_norm": common.max_gradient_norm,
            "early_stopping_patience": common.early_stopping_patience,
            "keep_best": common.keep_best,
            "memory": common.memory.model_dump(),
            "optimizer": "adamw",
            "weight_decay": common.weight_decay,
            "max_seq_length": common.max_seq_length,
            "mask_prompt": common.mask_prompt,
            "num_layers": common.num_layers,
            "grad_accumulation_steps": common.grad_accumulation_steps,
            "grad_checkpoint": common.grad_checkpoint,
            "steps_per_report": common.report_every,
            "steps_per_eval": common.evaluate_every,
            "val_batches": common.valid_batches,
            "save_every": common.checkpoint_every,
            "lora_parameters": {
                "rank": common.lora.rank,
                "scale": common.lora.alpha / common.lora.rank,
                "dropout": common.lora.dropout,
                "keys": list(common.lora.trainable_modules),
            },
        }

    def mismatches(self, request: Mapping[str, Any], adapters: Path) -> list[str]:
        """What differs between the request and the written adapter folder."""
        expected = {**request["params"], "seed": request["seed"], "fine_tune_type": "lora"}
        return [
            f"{check.name}: {check.detail}"
            for check in check_adapters(adapters, expected)
            if not check.passed
        ]
