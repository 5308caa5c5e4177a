"""One base for all that is raised on purpose; each error knows its exit code, a bug has none."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import daemon
import jobs
import launchd
from config.errors import SectuneError, SettingsError
from daemon import exit_codes
from daemon.exit_codes import exit_code_of
from daemon.supervisor import AlreadyRunning
from jobs import errors
from jobs.fs.locks import LockBusy
from launchd.run_program import NoAnswer, ServiceError

CODES: dict[type[SectuneError], int] = {
    SettingsError: exit_codes.USAGE,
    errors.NotFoundError: exit_codes.NOT_FOUND,
    AlreadyRunning: exit_codes.BUSY,
    LockBusy: exit_codes.BUSY,
    errors.DeliveryRefused: exit_codes.FAILED,
    errors.OperatorError: exit_codes.FAILED,
    errors.DiskFull: exit_codes.FAILED,
    errors.PermissionMissing: exit_codes.FAILED,
    errors.ModelMissing: exit_codes.FAILED,
    errors.NetworkError: exit_codes.FAILED,
    errors.ChildFailed: exit_codes.FAILED,
    errors.OutOfMemory: exit_codes.FAILED,
    errors.GpuWatchdog: exit_codes.FAILED,
    ServiceError: exit_codes.FAILED,
    NoAnswer: exit_codes.FAILED,
}


def below(kind: type[SectuneError]) -> set[type[SectuneError]]:
    return {kind}.union(*(below(each) for each in kind.__subclasses__()))


def test_every_error_of_ours_has_a_row() -> None:
    for package in (daemon, jobs, launchd):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not module.ispkg and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    assert below(SectuneError) - {SectuneError, errors.JobError} == set(CODES)


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_an_error_carries_its_exit_code_and_says_what_and_what_to_do(kind: type[SectuneError]) -> None:
    takes = len(inspect.signature(kind).parameters)
    error = kind("the cause", "the remedy") if takes == 2 else kind(["the cause"])  # type: ignore[arg-type]
    assert exit_code_of(error) == CODES[kind]
    assert "the cause" in error.message
    assert str(error) == f"{error.message} {error.remedy}".rstrip()


def test_a_bug_has_no_exit_code() -> None:
    assert exit_code_of(ValueError("odd")) is None


def test_all_that_is_wrong_with_the_settings_is_in_the_error() -> None:
    error = SettingsError(["a: wrong", "b: unknown"])
    assert error.problems == ["a: wrong", "b: unknown"]
    assert str(error) == "a: wrong\nb: unknown"
