"""Real servers for the tests: each on a free loopback port, ended by its process id."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_START_SECONDS = 20


@contextmanager
def running(program: str, *options: str) -> Iterator[int]:
    """Run a server and give its port. `{port}` in an option stands for the port.

    Where the program is missing the test is skipped; in CI that is a failure.
    """
    path = shutil.which(program)
    if path is None:
        message = f"{program} is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    port = _free_port()
    command = [path, *(option.format(port=port) for option in options)]
    process = subprocess.Popen(  # noqa: S603 - a server the tests name
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_listening(process, port)
        yield port
    finally:
        process.terminate()
        process.wait(_START_SECONDS)


def redis_server() -> Iterator[int]:
    with running(
        "redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", ""
    ) as port:
        yield port


def memcached() -> Iterator[int]:
    # Memcached will not run as root without being told a user.
    with running(
        "memcached", "-p", "{port}", "-l", "127.0.0.1", "-u", "nobody"
    ) as port:
        yield port


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start: {process.args!r}")
            time.sleep(0.01)
        else:
            return
