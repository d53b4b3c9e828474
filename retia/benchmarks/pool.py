"""The processes that train seeds side by side."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Self

from retia.benchmarks.environment import cores
from retia.benchmarks.seed import SeedJob, run_seed, start_worker
from retia.shards.errors import InputError, ServiceError


class SeedPool:
    """Up to `workers` processes; one worker is this process itself.

    Processes start with the first job that is trained and stay for the next ones, because loading
    torch takes longer than training a small model. A context that is entered again within itself
    stays open until the outermost is left.
    """

    def __init__(self, workers: int | None = None) -> None:
        check_workers(workers)
        self.workers, self._depth = workers or cores(), 0
        self._executor: ProcessPoolExecutor | None = None
        self._others = set(multiprocessing.active_children())

    def __enter__(self) -> Self:
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if self._depth == 0 and self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def run(self, jobs: list[SeedJob]) -> Iterator[int]:
        """Run the jobs; yields each seed as it is done. Raises `ServiceError` for a killed one."""
        if self.workers == 1 or not jobs[0].config.training:
            yield from map(run_seed, jobs)
            return
        if self._executor is None:
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(self.workers, context, initializer=start_worker)
        try:
            futures = [self._executor.submit(run_seed, job) for job in jobs]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            self._stop()
            raise ServiceError(
                "a training process was killed, most likely for want of memory; finished seeds "
                "are kept: run again, with fewer --workers or a smaller --hidden"
            ) from error
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        """End all processes at once; the next jobs get new ones."""
        assert self._executor is not None
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - self._others:
            process.terminate()
        self._executor = None


def check_workers(workers: int | None) -> None:
    """Raise `InputError` where there would be no process."""
    if workers is not None and workers < 1:
        raise InputError(f"--workers is {workers}; at least 1 is needed")
