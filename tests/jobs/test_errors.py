"""Every kind of error comes back as itself from a child, also one that nobody listed anywhere."""

from __future__ import annotations

import gc

import pytest

from jobs import errors
from jobs.errors import ChildFailed, JobError, OperatorError, error_class

CLASSES = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, JobError)]


def test_every_class_has_a_kind_of_its_own_by_which_it_is_found() -> None:
    assert len(CLASSES) >= 10
    assert all("kind" in vars(each) for each in CLASSES)
    assert len({each.kind for each in CLASSES}) == len(CLASSES)
    assert [error_class(each.kind) for each in CLASSES] == CLASSES


@pytest.mark.slow
def test_a_new_class_is_found_without_a_list() -> None:
    class PrinterOnFire(OperatorError):
        kind = "printer_on_fire"

    assert error_class("printer_on_fire") is PrinterOnFire
    del PrinterOnFire  # or other tests would find it among our errors
    gc.collect()
    assert error_class("printer_on_fire") is ChildFailed


def test_an_unknown_kind_is_a_bug_that_is_tried_again() -> None:
    assert error_class("of a newer version") is ChildFailed
    assert ChildFailed.retryable
