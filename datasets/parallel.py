"""An ordered map over processes that never holds more than a few results."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

from ccvae.allocator import keep_freed_memory

Task = TypeVar("Task")
Result = TypeVar("Result")


def _start_worker() -> None:
    """Keep freed memory, which the next task wants again, and end when the parent is gone.

    A killed parent cannot tell its workers to stop.
    """
    keep_freed_memory()
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def ordered_map(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, workers: int, ahead: int = 2
) -> Iterator[Result]:
    """Yield `function(task)` for each task in order, computed by several processes.

    At most `ahead` tasks per worker are under way or waiting to be taken, so memory is bounded
    however slow the consumer is. Processes are spawned, not forked: forking a process that runs
    threads (as torch does) can hang.

    Parameters
    ----------
    function
        A module-level function, so that another process can import it.
    tasks
        Its arguments.
    workers
        Number of processes; with one, the work is done in this process.
    ahead
        Tasks per worker that may be begun before their results are asked for.

    Yields
    ------
    Result
        In the order of the tasks, whatever the number of workers.
    """
    if workers <= 1:
        yield from map(function, tasks)
        return
    remaining = iter(tasks)
    pending: deque[Future[Result]] = deque()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker) as pool:
        try:
            pending.extend(
                pool.submit(function, task) for task in islice(remaining, ahead * workers)
            )
            while pending:
                result = pending.popleft().result()
                pending.extend(pool.submit(function, task) for task in islice(remaining, 1))
                yield result
        finally:
            for future in pending:
                future.cancel()
