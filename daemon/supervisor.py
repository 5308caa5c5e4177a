"""Start the watcher, the queue and the reconciler; stop them in reverse."""

from __future__ import annotations

import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING

import structlog

from config.errors import SectuneError
from config.snapshot import state_of, version
from daemon import log as logs
from daemon import run_end
from daemon.inbox.intake import Intake, IntakeDependencies
from daemon.inbox.ledger import Ledger
from daemon.inbox.watcher import Watcher
from daemon.power import LOOK_SECONDS, PowerMonitor
from jobs.diagnosis import is_full
from jobs.fs import files
from jobs.host import Host
from jobs.queue import Queue, StoppableConsumer
from jobs.runs.store import Run, RunStore
from jobs.state_files import StateFiles

if TYPE_CHECKING:
    from config.settings import Settings
    from daemon.notify import Notifier

log = structlog.get_logger("sectune.daemon")


class AlreadyRunning(SectuneError):
    """Another daemon uses the same state folder; `holder` says which."""

    exit_code = 75  # of sysexits.h: try again later

    def __init__(self, holder: str) -> None:
        super().__init__(f"sectune is already running ({holder})")


class Supervisor:
    """The daemon.

    Args:
        settings: All settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = StateFiles(files.private_folder(state_of(settings)))
        self.stopping = threading.Event()
        self.store = RunStore(settings.paths.models_dir)
        self.power_monitor = PowerMonitor(settings.power, self.state.device_lock)
        self.host = Host(
            settings.paths.models_dir,
            self.state.folder,
            self.stopping.is_set,
            pause_reason=self.power_monitor.pause_reason,
            reserve_bytes=settings.disk.reserve_mb * 1_000_000,
        )

    @cached_property
    def notifier(self) -> Notifier:
        """Tells of a run's end."""
        from daemon.notify import Notifier

        return Notifier(self.settings.notify)

    def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            AlreadyRunning: There is one already.
        """
        os.umask(0o077)
        try:
            holder = f"pid {os.getpid()} sectune {version(self.settings)}"
            with files.FileLock(self.state.daemon_lock, holder):
                self._run()
        except files.LockBusy as busy:
            raise AlreadyRunning(busy.holder) from busy

    def _run(self) -> None:
        logs.configure(self.state.logs, self.settings.log)
        log.info("daemon starts", pid=os.getpid(), inbox=str(self.settings.paths.inbox))
        queue = Queue(
            self.state.queue,
            lambda run_id: self._advance(queue, run_id),
            self.settings.queue,
        )
        ledger = Ledger(self.state.ledger)
        intake = Intake(IntakeDependencies(self.settings, ledger, self.store, self.state, queue.enqueue))
        intake.recover()
        self._recover_registry()
        run_end.catch_up(self.store, self._tell)
        # Before the first step: a daemon that starts on a battery starts no training.
        self.power_monitor.look()
        power = threading.Thread(target=self._watch_power, args=(queue,), name="power", daemon=True)
        reconciler = threading.Thread(target=self._reconcile, args=(queue,), name="reconciler", daemon=True)
        watcher = Watcher(self.settings.paths.inbox, self.settings.inbox, intake, ledger, self.stopping)
        for thread in (power, reconciler, watcher):
            thread.start()
        self._consume(queue.consumer(self.settings.queue.workers))
        self._stop(queue, [watcher, reconciler, power])

    def _advance(self, queue: Queue, run_id: str) -> None:
        from jobs import tasks  # the steps, the parsers and what they need: 25 MB, with the first run

        tasks.advance_with(self.store, self.host, queue.enqueue, self._follow_up)(run_id)

    def _recover_registry(self) -> None:
        if not self.host.registry.is_dir():
            return
        from jobs.registry.current import recover

        try:
            if finished := recover(self.host.registry):
                log.info("an activation that was cut off is complete", model=finished)
        except SectuneError as error:  # the daemon can train all the same; `models list` shows what is in use
            log.error("the registry needs attention", error=str(error))

    def _follow_up(self, run: Run) -> None:
        run_end.follow_up(run, self._tell)

    def _tell(self, run: Run) -> None:
        self.notifier.tell_in_background(run)

    def _consume(self, consumer: StoppableConsumer) -> None:
        # Huey owns the signals; its stop flag is what tells the steps.
        flag = consumer.stop_flag

        def pass_on() -> None:
            flag.wait()
            self.stopping.set()

        threading.Thread(target=pass_on, name="stop", daemon=True).start()
        consumer.run()
        self.stopping.set()

    def _stop(self, queue: Queue, threads: list[threading.Thread]) -> None:
        for thread in threads:
            thread.join(timeout=3)
        from jobs.children import life

        for run in self.store.unfinished():
            step = run.manifest.progress.step
            if step and (pid := life.living(run.folder.work(step))):
                log.info("a child goes on; the next daemon adopts it", run=run.run_id, step=step, child=pid)
        queue.close()
        log.info("daemon stopped")

    def _watch_power(self, queue: Queue) -> None:
        while not self.stopping.wait(LOOK_SECONDS):
            try:
                if self.power_monitor.look() and self.store.unfinished():
                    from jobs import tasks

                    for run_id in tasks.waiting_runs(self.store):
                        queue.enqueue(run_id)
            except Exception:  # the next look tries again; what was wrong is on record
                log.exception("looking at the power failed")

    def _take_up(self, queue: Queue) -> None:
        if not self.store.unfinished():
            return
        from jobs import tasks

        for run_id in tasks.undriven_runs(self.store, self.power_monitor.pause_reason()):
            if queue.enqueue(run_id):
                log.info("unfinished run taken up", run=run_id)

    def _reconcile(self, queue: Queue) -> None:
        while not self.stopping.is_set():
            try:
                self._take_up(queue)
            except Exception as error:  # the next round tries again; what was wrong is on record
                if is_full(error):
                    log.error("the disk is full, so no run was enqueued", error=str(error))
                else:
                    log.exception("reconciling failed")
            self.stopping.wait(self.settings.queue.reconcile_seconds)
