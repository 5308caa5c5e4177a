"""The processes that train together: each computes its share of every batch, the first of them writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mlx.core as mx

from jobs.errors import ChildFailed


@dataclass(frozen=True)
class Group:
    """This process among those that train together; by default it is alone.

    Args:
        rank: Its number, from 0.
        size: How many there are.

    Every method is called by all processes, in the same order, or they wait for one another for ever.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true in one process or more."""
        return flag if self.size == 1 else bool(self.gather(mx.array([int(flag)])).any().item())

    def wait(self) -> None:
        """Go on when all processes have come to this point."""
        self.any(False)

    def gather(self, array: mx.array) -> mx.array:
        """Every process's array of the same shape, stacked in the order of their ranks."""
        if self.size == 1:
            return array[None]
        gathered = mx.distributed.all_gather(array[None], stream=mx.cpu)
        mx.eval(gathered)
        return gathered

    def attempt(self, work: Callable[[], None], may_fail: Callable[[BaseException], bool]) -> None:
        """Do `work` in every process; where it fails in one, it has failed in all.

        Args:
            work: What is tried.
            may_fail: Whether an error is one that the others are told of; any other ends the process.

        Raises:
            MemoryError: It failed in another process only.
        """
        failed: BaseException | None = None
        try:
            work()
        except (RuntimeError, MemoryError) as error:
            if not may_fail(error):
                raise
            failed = error
        if self.any(failed is not None):
            raise failed or MemoryError("out of memory in another process of the group")


ALONE = Group()


def join(backend: str, size: int) -> Group:
    """Become one of the group that the launcher started.

    Raises:
        ChildFailed: The group has another size than was asked for.
    """
    world = mx.distributed.init(strict=True, backend=backend)
    if world.size() != size:
        raise ChildFailed(f"The group has {world.size()} processes instead of {size}.")
    return Group(world.rank(), world.size())
