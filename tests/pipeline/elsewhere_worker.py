"""What trains at the provider `elsewhere` (conftest.py): it counts to 20, and writes an adapter.

Argument: its folder. It holds `worker.lock` for life, goes on counting where an earlier one stopped, and ends
behind its present step where it finds `stop`. `order.json` says what goes wrong, and names the file without
which it does not count on from 10.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from jobs.fs import files
from jobs.fs.locks import FileLock

STEPS = 20


def main(folder: Path) -> None:
    """Work, and leave a state."""
    order = files.read_json(folder / "order.json")
    with FileLock(folder / "worker.lock", "elsewhere"):
        with (folder / "executions").open("a") as stream:
            stream.write("x")
        state = folder / "state.json"
        begun = files.read_json(state)["step"] if state.exists() else 0
        for step in range(begun + 1, STEPS + 1):
            files.write_json(state, {"step": step, "began_at": begun})
            while step >= STEPS // 2 and not Path(order["gate"]).exists():
                if (folder / "stop").exists():
                    return
                time.sleep(0.01)
        outcome = {"failure": order["failure"]} if order["failure"] else {"result": {"tokens_seen": 640}}
        if not order["failure"]:
            write_adapter(Path(order["adapters"]), Path(order["metrics"]), order["rank"])
        files.write_json(state, {"step": STEPS, "began_at": begun, **outcome})


def write_adapter(adapters: Path, metrics: Path, rank: int) -> None:
    """An adapter folder as mlx-lm would load it, of two tensors."""
    names = ("l.q_proj.lora_a", "l.q_proj.lora_b")
    header = json.dumps(
        {
            name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * at, 4 * at + 4]}
            for at, name in enumerate(names)
        }
    ).encode()
    files.private_folder(adapters)
    weights = len(header).to_bytes(8, "little") + header + bytes(8)
    files.write_bytes(adapters / "adapters.safetensors", weights)
    files.write_json(adapters / "adapter_config.json", {"fine_tune_type": "lora", "rank": rank})
    files.write_json(adapters / "training_metadata.json", {"stage": 1})
    files.write_jsonl(metrics, [{"iteration": STEPS, "train_loss": 0.5}])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
