"""Our training against stock mlx_lm.lora, in turns, on the same model and the same fixes.

`python -m benchmarks.train` has three trainings take turns, each in a process of its own:

windows  Stock, batch 1, on our windows, the prompt masked, the same LoRA layers, no dropout.
ours     Our training child on the same windows, with the same settings.
files    Stock with the earlier settings: the whole files of the same fixes, cut at 2,048 tokens from the
         end, prompt not masked, batch 1.

Compared are time per example and peak memory of `ours` / `windows` (aims: 0.95 and 0.95), and the answer
tokens learned per second of `ours` / `files` (aim: 5 times). Only answer tokens that are inside the cut and
carry loss count.

Not timed: start-up, loading, tokenising, and the first pass over the data, in which both compile their step
for every shape (`first pass`). No validation and no checkpoint falls into the timed part. Seconds are the
wall clock between the reports each side makes; `processor` is the processor's time. All use the same BLAS.

What it cannot show: at 2,048 tokens a model this narrow spends more of its time on attention than a 1B
does. Therefore the answer-token ratio is also told in its two factors: the share of tokens that are learned
(the same on every model) and tokens per second (this model's, on this machine).
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import types
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import blas
from benchmarks.specimens import (
    Shape,
    build_model,
    fix,
    lengths,
    whole_file_row,
    window_rows,
    write_rows,
)
from benchmarks.train_figures import SIDES, describe, figures_of
from config.job import of_stage
from config.load import load as load_settings
from jobs.children.request import from_json, to_json
from jobs.fs import files
from jobs.mlx.training.request import TrainingRequest
from jobs.providers.mlx.request import training_request
from jobs.providers.provider import Training

MAX_SEQ_LENGTH = 2048
SEED = 7
# CrossVul's files have about 7,000 tokens a pair (before and after) in the mean; how they spread around it
# is assumed. The figure that came out is in the table.
MEAN_LINES, SIGMA = 380, 1.0
LEARNING_RATE = 1e-3
Row = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One training to time: its examples, whether the prompt carries no loss, passes over the data."""

    rows: list[Row]
    mask_prompt: bool
    passes: int


@dataclass(frozen=True)
class Measured:
    """What one training took."""

    seconds: float  # an example, after the first pass
    cpu_seconds: float  # the processor's, an example: says more where the machine is shared
    first_pass_seconds: float  # an example, from the first report to the end of the first pass
    peak_memory_gb: float
    losses: list[tuple[int, float]]


@dataclass(frozen=True)
class Bench:
    """Where and how: folder, iterations per report, rounds, what is preloaded."""

    folder: Path
    report_every: int
    rounds: int
    library: Path | None
    shape: Shape = field(default_factory=Shape)

    @property
    def model(self) -> Path:
        """The model all sides train."""
        return self.folder / "model"

    def work(self) -> Path:
        """A new folder for one training."""
        return Path(tempfile.mkdtemp(dir=self.folder, prefix="run-"))


def main() -> None:
    """Measure and print; or, as one side's process, train."""
    child = {"--stock": _stock_child, "--ours": _ours_child}.get(sys.argv[1] if sys.argv[1:] else "")
    if child is not None:
        child(files.read_json(Path(sys.argv[2])))
        return
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="sectune-benchmark-") as folder:
        results = _measure(Bench(Path(folder), given.report_every, given.rounds, given.blas), given)
    results["figures"] = figures_of(results)
    sys.stdout.write(json.dumps(results, indent=2) + "\n" if given.json else describe(results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--examples", type=int, default=16)
    parser.add_argument("--passes", type=int, default=3, help="over the windows; the first is not timed")
    parser.add_argument("--file-passes", type=int, default=2, help="over the whole files, the same")
    parser.add_argument("--report-every", type=int, default=8, help="iterations; must divide --examples")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    blas.add_option(parser)
    given = parser.parse_args()
    if given.examples % given.report_every or min(given.passes, given.file_passes) < 2:
        parser.error("--report-every must divide --examples, and both kinds of passes be at least 2")
    return given


def _measure(bench: Bench, given: argparse.Namespace) -> dict[str, Any]:
    chance = random.Random(SEED)
    fixes = [fix(chance, count) for count in lengths(given.examples, MEAN_LINES, SIGMA)]
    whole = [whole_file_row(each) for each in fixes]
    windows = [window_rows(each)[0] for each in fixes]
    build_model(bench.model, [*whole, *windows], bench.shape, SEED)
    same = Side(windows, True, given.passes)
    sides = {"windows": same, "ours": same, "files": Side(whole, False, given.file_passes)}
    measured = _in_turns(bench, sides)
    return {
        "shape": asdict(bench.shape),
        "blas": blas.name(bench.library),
        "rounds": bench.rounds,
        "tokens": {name: _token_counts(bench, sides[name].rows, MAX_SEQ_LENGTH) for name in SIDES},
        "measured": {name: [asdict(each) for each in measured[name]] for name in SIDES},
    }


def _in_turns(bench: Bench, sides: dict[str, Side]) -> dict[str, list[Measured]]:
    """Each round all sides, another one first each time: what else the machine does hits all of them."""
    measured: dict[str, list[Measured]] = {name: [] for name in SIDES}
    for number in range(bench.rounds):
        first = number % len(SIDES)
        for name in (*SIDES[first:], *SIDES[:first]):
            began = time.monotonic()
            measured[name].append((_ours if name == "ours" else _stock)(bench, sides[name]))
            took = time.monotonic() - began
            sys.stderr.write(
                f"round {number + 1}, {name}: {measured[name][-1].seconds:.3f} s an example ({took:.0f} s)\n"
            )
    return measured


def _ours(bench: Bench, side: Side) -> Measured:
    work = bench.work()
    for name, rows in (("train", side.rows), ("valid", [])):
        write_rows(work / "data" / f"{name}.jsonl", rows)
    iterations = side.passes * len(side.rows)
    changes = {
        "seed": SEED,
        "stage1__iters": iterations,
        "stage1__learning_rate": LEARNING_RATE,
        "training__max_seq_length": MAX_SEQ_LENGTH,
        "training__lora__dropout": 0.0,
        "training__mask_prompt": str(side.mask_prompt).lower(),
        "training__report_every": bench.report_every,
        "training__checkpoint_every": iterations + 1,
        "training__evaluate_every": iterations + 1,
    }
    environ = {f"SECTUNE__{key.upper()}": str(value) for key, value in changes.items()}
    request = training_request(
        of_stage(load_settings(environ=environ).settings, 1),
        Training(1, bench.model, work / "data", work / "adapters", work / "metrics.jsonl"),
    )
    _in_a_process(bench, "--ours", work, {"payload": to_json(request), "work": str(work)})
    rows = [row for row in files.read_jsonl(work / "metrics.jsonl") if "train_loss" in row]
    return _measured(rows, len(side.rows))


def _stock(bench: Bench, side: Side) -> Measured:
    work = bench.work()
    write_rows(work / "train.jsonl", side.rows)
    options = {
        "model": str(bench.model),
        "data": str(work / "train.jsonl"),
        "reports": str(work / "reports.jsonl"),
        "adapter_path": str(work / "adapters"),
        "iters": side.passes * len(side.rows),
        "steps_per_report": bench.report_every,
        "mask_prompt": side.mask_prompt,
    }
    _in_a_process(bench, "--stock", work, options)
    return _measured(list(files.read_jsonl(work / "reports.jsonl")), len(side.rows))


def _in_a_process(bench: Bench, side: str, work: Path, options: dict[str, Any]) -> None:
    files.write_json(work / "options.json", options)
    command = [sys.executable, "-m", "benchmarks.train", side, str(work / "options.json")]
    root = Path(__file__).resolve().parents[1]
    environ = blas.environment(bench.library)
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side} failed:\n{done.stderr[-2000:]}")


def _ours_child(options: dict[str, Any]) -> None:
    """The training child's own work; each report also tells the processor's time."""
    from jobs.children.entry import Assignment
    from jobs.mlx.training import reports, train

    tell = reports.Reports._tell

    def tell_more(self: reports.Reports, **facts: Any) -> None:
        tell(self, cpu=time.process_time(), **facts)

    reports.Reports._tell = tell_more  # type: ignore[method-assign]
    work = Path(options["work"])
    payload = from_json(TrainingRequest, options["payload"])
    train.run(Assignment(files.private_folder(work / "child"), payload, work / "log", {}))


def _stock_child(options: dict[str, Any]) -> None:
    """mlx_lm.lora's own steps: load, create_dataset, train_model; its seed, its iterator, its loss."""
    import numpy as np
    from mlx_lm import lora
    from mlx_lm.tuner.callbacks import TrainingCallback
    from mlx_lm.tuner.datasets import create_dataset

    class Clock(TrainingCallback):  # type: ignore[misc]
        def on_train_loss_report(self, train_info: dict[str, Any]) -> None:
            files.append_jsonl(
                Path(options["reports"]), {"time": time.time(), "cpu": time.process_time(), **train_info}
            )

    settings = {
        **lora.CONFIG_DEFAULTS,
        "train": True,
        "seed": SEED,
        "num_layers": -1,
        "batch_size": 1,
        "learning_rate": LEARNING_RATE,
        "optimizer": "adamw",
        "optimizer_config": {"adamw": {"weight_decay": 0.0}},
        "max_seq_length": MAX_SEQ_LENGTH,
        "save_every": options["iters"] + 1,
        "lora_parameters": {
            "rank": 8,
            "scale": 2.0,
            "dropout": 0.0,
            "keys": ["self_attn.q_proj", "self_attn.v_proj"],
        },
        **options,
    }
    arguments = types.SimpleNamespace(**settings)
    np.random.seed(SEED)
    model, tokenizer = lora.load(options["model"])
    train = create_dataset(list(files.read_jsonl(Path(options["data"]))), tokenizer, arguments)
    lora.train_model(arguments, model, train, [], Clock())


def _measured(reports: list[dict[str, Any]], examples: int) -> Measured:
    """From one side's reports; at batch 1 an iteration is an example."""
    first = next(row for row in reports if row["iteration"] >= examples)
    begun, last = reports[0], reports[-1]
    timed, compiled = last["iteration"] - first["iteration"], first["iteration"] - begun["iteration"]
    return Measured(
        (last["time"] - first["time"]) / timed,
        (last["cpu"] - first["cpu"]) / timed,
        (first["time"] - begun["time"]) / compiled if compiled else float("nan"),
        last["peak_memory_gb"] if "peak_memory_gb" in last else last["peak_memory"],
        [(row["iteration"], row["train_loss"]) for row in reports],
    )


def _token_counts(bench: Bench, rows: list[Row], limit: int) -> dict[str, Any]:
    from transformers import AutoTokenizer

    from jobs.mlx.training.examples import tokenise

    tokenizer = AutoTokenizer.from_pretrained(bench.model)
    encoded = [tokenise(tokenizer, row["messages"]) for row in rows]
    return {
        "examples": len(rows),
        "tokens": sum(len(tokens) for tokens, _ in encoded),
        "tokens_inside": sum(min(limit, len(tokens)) for tokens, _ in encoded),
        "answer_tokens": sum(len(tokens) - start for tokens, start in encoded),
        "answer_tokens_inside": sum(max(0, min(limit, len(tokens)) - start) for tokens, start in encoded),
        "without_any_answer": sum(start >= limit for _, start in encoded),
    }


if __name__ == "__main__":
    main()
