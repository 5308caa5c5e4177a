"""What the benchmarks work on: made-up source files with one flaw each, and small OLMo-2 models.

Everything is made here from a seed; nothing is downloaded and nothing is measured here.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from jobs.datasets.examples.diff import groups_of_pair
from jobs.datasets.examples.example import conversation, fence, prompt_text
from jobs.datasets.public.render import TASK
from jobs.fs import files

Row = dict[str, Any]
NOUNS = re.findall(
    r"\w+",
    """
account address audit badge basket batch branch bridge broker bucket buffer cache card channel claim
client cluster cookie counter cursor device digest domain event factor feature field filter folder form
frame gateway grant group header host image index invoice issuer item journal key label ledger level
license limit link list login mailbox market member message metric mirror module notice object order
origin owner packet page parcel partner passkey payload peer permit phase pledge policy pool portal
prefix profile query queue quota rank ratio realm receipt record region relay report request reserve
role route rule sample schema scope segment sender series session setting shard signal slot socket
source stage state stream subject summary table tag target task tenant ticket timer token topic trace
track transfer tree trust unit update user value vault vector vendor version view voucher wallet window
worker zone
""",
)
VERBS = re.findall(
    r"\w+",
    """
add apply attach build check close collect count create drop fetch find load merge move open pick
prune read reset send sort store update verify write
""",
)
CALM = (
    "    {a}_{b} = {c}.get('{d}', {n})",
    "    if {a}_{b} is None:\n        return {c}_{d}",
    "    for {a} in {b}_{c}:\n        {d}.append({a}.{b})",
    "    {c}.{d}_{b} += {n}",
    "    logger.debug('{a} {b}: %s', {c}_{d})",
    "    {a} = sorted({b}_{c}, key=lambda {d}: {d}.{a})[:{n}]",
)
FLAWS = (
    (
        "CWE-89 (SQL Injection)",
        "    {a} = db.execute('SELECT {b} FROM {c} WHERE {d} = ' + {d}_{b})",
        "    {a} = db.execute('SELECT {b} FROM {c} WHERE {d} = ?', ({d}_{b},))",
    ),
    (
        "CWE-208 (Observable Timing Discrepancy)",
        "    {a}_ok = {b}_{c} == {d}.{c}",
        "    {a}_ok = hmac.compare_digest({b}_{c}, {d}.{c})",
    ),
    (
        "CWE-78 (OS Command Injection)",
        "    {a} = subprocess.run('{b} ' + {c}_{d}, shell=True)",
        "    {a} = subprocess.run(['{b}', {c}_{d}], check=True)",
    ),
    (
        "CWE-502 (Deserialization of Untrusted Data)",
        "    {a}_{b} = yaml.load({c}_{d}, Loader=yaml.Loader)",
        "    {a}_{b} = yaml.safe_load({c}_{d})",
    ),
)


@dataclass(frozen=True)
class Fix:
    """A whole file before and after its one fix."""

    cwe: str
    before: str
    after: str


@dataclass(frozen=True)
class Shape:
    """A model's size.

    The default gives the output layer 16 % of the weights that are multiplied, OLMo-2-1B's share (205 of
    1,279 million), and with it the share of memory that logits have beside activations. Heads have 128
    dimensions, as OLMo-2's: with smaller ones softmax would weigh more than it does there.
    """

    hidden: int = 256
    layers: int = 6
    heads: int = 2
    vocabulary: int = 4736


def fix(chance: random.Random, lines: int) -> Fix:
    """A file of about so many lines."""
    cwe, flawed, fixed = chance.choice(FLAWS)
    names = _names(chance)
    body: list[str] = []
    place = chance.randrange(lines)
    while len(body) < lines:
        body += _function(chance)
    before, after = list(body), list(body)
    at = next((n for n in range(place, len(body)) if body[n].startswith("def ")), 0) + 1
    before[at:at] = [flawed.format(**names)]
    after[at:at] = [fixed.format(**names)]
    return Fix(cwe, "\n".join(before) + "\n", "\n".join(after) + "\n")


def lengths(count: int, mean: float, sigma: float) -> list[int]:
    """Lines of `count` files, log-normally spread: the middles of `count` equally likely parts.

    Quantiles instead of draws, so that few files stand for the whole spread and no seed decides.
    """
    normal = NormalDist(math.log(mean) - sigma * sigma / 2, sigma)
    return [max(8, round(math.exp(normal.inv_cdf((n + 0.5) / count)))) for n in range(count)]


def whole_file_row(each: Fix) -> Row:
    """The earlier way: the whole vulnerable file asked, the whole fixed file answered."""
    return _row(each.cwe, each.before, each.after)


def window_rows(each: Fix, context: int = 8) -> list[Row]:
    """Our way: the lines around each change."""
    windows = [group.window(context) for group in groups_of_pair(each.before, each.after, context)]
    return [_row(each.cwe, window.before, window.after) for window in windows]


def build_model(folder: Path, rows: Sequence[Row], shape: Shape, seed: int) -> None:
    """A complete model folder: random weights, a tokenizer trained on the rows."""
    import mlx.core as mx
    from mlx_lm.models import olmo2
    from mlx_lm.utils import save_config, save_model

    from jobs.mlx.toy_models.requests import ModelShape
    from jobs.mlx.toy_models.tiny_model import build_tokenizer, model_config

    files.private_folder(folder)
    texts = (turn["content"] for row in rows for turn in row["messages"])
    tokenizer = build_tokenizer(texts, shape.vocabulary)
    tokenizer.save_pretrained(folder)
    sizes = ModelShape(
        vocabulary=shape.vocabulary,
        hidden=shape.hidden,
        intermediate=4 * shape.hidden,
        layers=shape.layers,
        heads=shape.heads,
    )
    # More rows than the tokenizer uses: what the output layer costs is the point, not what it says.
    config = {**model_config(sizes, tokenizer), "vocab_size": shape.vocabulary}
    mx.random.seed(seed)
    model = olmo2.Model(olmo2.ModelArgs.from_dict(config))
    save_model(folder, model)
    save_config(config, folder / "config.json")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """A JSONL part."""
    files.private_folder(path.parent)
    files.write_jsonl(path, rows)


def _row(cwe: str, before: str, after: str) -> Row:
    prompt = prompt_text(TASK, {"CWE": cwe, "Language": "python"}, fence(before, "python"))
    messages = conversation(prompt, fence(after, "python"))
    return {"messages": list(messages), "metadata": {"cwe_id": cwe.split()[0], "language": "python"}}


def _function(chance: random.Random) -> list[str]:
    names = _names(chance)
    lines = [f"def {chance.choice(VERBS)}_{names['a']}_{names['b']}({names['c']}, {names['d']}):"]
    for _ in range(chance.randint(3, 9)):
        lines += chance.choice(CALM).format(**_names(chance)).split("\n")
    return [*lines, f"    return {names['a']}_{names['d']}", ""]


def _names(chance: random.Random) -> dict[str, Any]:
    return {**dict(zip("abcd", chance.sample(NOUNS, 4), strict=True)), "n": chance.randint(2, 99)}
