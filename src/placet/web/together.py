"""Group commit in the event loop: what arrives while a batch is being committed goes along with the next.

One thread does the batches, one after the other. Nobody is answered before the batch is durable.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

MOST = 256
"""The requests that one batch takes."""
MOST_WAITING = 4096

R = TypeVar("R")
A = TypeVar("A")


class Together(Generic[R, A]):
    """The batches of one kind of request, in one event loop.

    ``do`` does a batch, in a thread, and answers for each of its requests, in their order, or with its error.
    """

    def __init__(self, do: Callable[[Sequence[R]], Sequence[A | BaseException]], *, name: str) -> None:
        self._do = do
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: list[tuple[R, asyncio.Future[A]]] = []
        self._work: asyncio.Future[Sequence[A | BaseException]] | None = None
        self._is_planned = False
        self._is_closed = False

    @property
    def takes_more(self) -> bool:
        """Whether another request may come."""
        return len(self._waiting) < MOST_WAITING and not self._is_closed

    async def run(self, request: R) -> A:
        """Have ``request`` done in a batch; answers, or raises its error, once that is durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        self._waiting.append((request, future))
        if self._work is None and not self._is_planned:
            self._is_planned = True
            loop.call_soon(self._begin)  # after those who are there already
        return await future

    async def aclose(self) -> None:
        """Take no more, and wait until everything that was taken is done."""
        self._is_closed = True
        while self._waiting or self._work is not None:
            await asyncio.wait([self._work] if self._work is not None else [self._waiting[-1][1]])
            await asyncio.sleep(0)
        self._thread.shutdown(wait=False)

    def _begin(self) -> None:
        self._is_planned = False
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        loop = asyncio.get_running_loop()
        self._work = loop.run_in_executor(self._thread, self._do, [request for request, _ in batch])
        self._work.add_done_callback(partial(self._end, [future for _, future in batch]))

    def _end(self, futures: Sequence[asyncio.Future[A]], work: asyncio.Future[Sequence[A | BaseException]]) -> None:
        self._work = None
        if self._waiting:
            self._begin()
        error = work.exception()
        answers = work.result() if error is None else [error] * len(futures)
        for future, answer in zip(futures, answers, strict=True):
            if future.done():  # nobody waits any more
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
