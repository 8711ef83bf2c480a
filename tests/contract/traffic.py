"""Somebody who uses a published module all the time, whatever happens to the license."""

import threading
from collections import Counter
from types import TracebackType
from typing import Self

import httpx2


class Traffic:
    """Requests ``url`` over and over in a thread; counts the answers by status, and what failed by its error."""

    def __init__(self, url: str) -> None:
        self.answers: Counter[int | str] = Counter()
        self._url = url
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._request, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def _request(self) -> None:
        with httpx2.Client(trust_env=False, timeout=30) as client:
            while not self._ending.wait(0.01):
                try:
                    self.answers[client.get(self._url).status_code] += 1
                except httpx2.HTTPError as error:
                    self.answers[repr(error)] += 1
