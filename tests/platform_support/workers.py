"""Starts workers for tests and talks to them over their sockets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from placet.platform.workers import Worker, WorkerSpec, start_worker


def spec_for(module: Path, logs: Path, **options: Any) -> WorkerSpec:
    """Return a spec that runs the module with its database and log under `logs`."""
    values = {
        "name": "orders",
        "version": "1.2.0",
        "directory": module,
        "entrypoint": "orders.app:app",
        "database": logs / "orders.db",
        "root_path": "/apps/orders",
        "log_path": logs / "orders.log",
    }
    return WorkerSpec(**(values | options))


@contextmanager
def running(spec: WorkerSpec, start: Callable[..., Worker] = start_worker, **options: Any) -> Iterator[Worker]:
    """Start a worker and stop it at the end."""
    worker = start(spec, **options)
    try:
        yield worker
    finally:
        worker.stop(0.5)


@contextmanager
def client(socket_path: Path, timeout: float = 10) -> Iterator[httpx2.Client]:
    """Speak HTTP to a Unix socket."""
    transport = httpx2.HTTPTransport(uds=str(socket_path))
    with httpx2.Client(transport=transport, base_url="http://module", timeout=timeout, trust_env=False) as opened:
        yield opened


def fetch(socket_path: Path, path: str = "/") -> str:
    """Return the text of one answer."""
    with client(socket_path) as opened:
        return opened.get(path).raise_for_status().text
