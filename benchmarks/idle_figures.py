"""The idle benchmark's figures against their limits, and how they are told."""

from __future__ import annotations

from typing import Any

LIMITS = {"memory": 1.5, "cpu": 1.5, "late_seconds": 1.0, "status": 4.0, "status_with_runs": 6.0}
STABLE_SECONDS = 2.0


def limits_kept(results: dict[str, Any]) -> dict[str, bool]:
    """Which limits are kept."""
    daemon, baseline = results["idle"]["daemon"], results["idle"]["baseline"]
    memory = [name for name in daemon if name.endswith("_mb")]
    cpu = "cpu_seconds_a_minute"
    return {
        "memory": all(daemon[name] <= LIMITS["memory"] * baseline[name] for name in memory),
        "cpu": daemon[cpu] <= LIMITS["cpu"] * baseline[cpu],
        "late_seconds": max(results["late_seconds"]) <= LIMITS["late_seconds"],
        "status": results["status"]["without"]["ratio"] <= LIMITS["status"],
        "status_with_runs": results["status"]["with_runs"]["ratio"] <= LIMITS["status_with_runs"],
    }


def describe(results: dict[str, Any], verdict: dict[str, bool]) -> str:
    """The whole comparison as a text."""
    daemon, baseline = results["idle"]["daemon"], results["idle"]["baseline"]
    lines = [f"{'idle':24}{'daemon':>10}{'baseline':>10}{'ratio':>8}  limit"]
    for name, value in daemon.items():
        limit = LIMITS["cpu" if name.startswith("cpu") else "memory"]
        ratio = f"{value / baseline[name]:8.2f}" if baseline[name] else f"{'-':>8}"
        lines.append(f"{name:24}{value:10.3g}{baseline[name]:10.3g}{ratio}  {limit}")
    late = results["late_seconds"]
    lines += [
        "",
        f"last byte to queued, beyond {STABLE_SECONDS:g} s of stability: "
        + ", ".join(f"{value:.2f}" for value in late)
        + f" s; at most {LIMITS['late_seconds']:g}",
        "",
    ]
    lines.append(f"{'sectune status':24}{'status ms':>10}{'python ms':>10}{'ratio':>8}  limit")
    status = results["status"]
    for label, name, which in (
        ("no run", "without", "status"),
        (f"{status['runs']} runs", "with_runs", "status_with_runs"),
    ):
        each = status[name]
        figures = f"{each['status_ms']:10.1f}{each['python_ms']:10.1f}{each['ratio']:8.2f}"
        lines.append(f"{label:24}{figures}  {LIMITS[which]}")
    lines.append(f"the first status after they appeared took {status['first_seconds'] * 1000:.0f} ms")
    missed = [name for name, kept in verdict.items() if not kept]
    lines.append(f"missed: {', '.join(missed)}" if missed else "every limit is kept")
    return "\n".join(lines) + "\n"
