"""The public sources: a file each, named like its section of the settings. What lies here is known."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

from jobs.errors import OperatorError

if TYPE_CHECKING:
    from jobs.datasets.public.candidate import SourceReader


def names() -> tuple[str, ...]:
    """Every source's name, sorted; none of their files is imported, so that the daemon may ask."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def check_name(name: str) -> str:
    """The name itself.

    Raises:
        OperatorError: No file of this folder has it.
    """
    if name not in names():
        raise OperatorError(
            f"There is no public source named {name!r}.",
            f"Known are {', '.join(names())}; correct `datasets.sources`. docs/DATA.md shows how to add one.",
        )
    return name


def load(name: str) -> SourceReader:
    """What a source's file offers.

    Raises:
        OperatorError: There is no such source.
    """
    source: SourceReader = import_module(f"{__name__}.{check_name(name)}").SOURCE
    return source
