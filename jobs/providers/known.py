"""The providers there are, by name."""

from __future__ import annotations

from jobs.errors import NotFoundError
from jobs.providers.mlx.provider import Mlx
from jobs.providers.provider import Provider

PROVIDERS: dict[str, Provider] = {Mlx.name: Mlx()}


def find_provider(name: str) -> Provider:
    """The provider called `name`.

    Raises:
        NotFoundError: There is none.
    """
    if name not in PROVIDERS:
        raise NotFoundError(f"There is no provider {name!r}.", f"There is: {', '.join(PROVIDERS)}.")
    return PROVIDERS[name]
