"""Counts the round trips to Redis that each page of the demo takes.

Run it with `python -m benchmarks.page_trips`. It needs `redis-server`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from flask.testing import FlaskClient
from rich.console import Console
from rich.table import Table

from jinja_fragcache.stores import RedisStore
from tests import servers

# The demo is a script, as users write them, and no package.
sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
from demo import PATHS
from stdlib_docs import NAME_COOKIE, create_app


def trips_of_pages(*, prefetch: bool) -> dict[str, tuple[int, int]]:
    """Return for each page the trips of a process's first rendering and of later ones.

    Everything is stored already, by another process.

    Args:
        prefetch: Whether pages read ahead.
    """
    with (
        servers.running(*servers.REDIS) as server,
        servers.round_trips(server.port) as trips,
    ):
        with _demo(trips.port, prefetch=prefetch) as client:
            for path in PATHS:
                _get(client, path)
        with _demo(trips.port, prefetch=prefetch) as client:
            found = {}
            for path in PATHS:
                counts = []
                for _ in range(4):
                    before = trips.count
                    _get(client, path)
                    counts.append(trips.count - before)
                found[path] = (counts[0], counts[-1])
        return found


@contextmanager
def _demo(port: int, *, prefetch: bool) -> Iterator[FlaskClient]:
    """Provide a client of the demo, whose connections are closed in the end."""
    store = RedisStore("127.0.0.1", port, key_prefix="demo:")
    app = create_app(
        {"CACHE_TYPE": store, "CACHE_PREFETCH": prefetch, "CACHE_INSPECTOR": False}
    )
    client = app.test_client()
    client.set_cookie(NAME_COOKIE, "Ada")
    try:
        yield client
    finally:
        store._client.close()  # noqa: SLF001 - else the proxy waits for it


def _get(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    if response.status_code != HTTPStatus.OK:
        raise RuntimeError(f"{path}: {response.status}")


def main() -> None:
    """Print the table."""
    without, ahead = trips_of_pages(prefetch=False), trips_of_pages(prefetch=True)
    table = Table("page", "without prefetch", "first of a process", "later")
    for path in PATHS:
        table.add_row(path, str(without[path][1]), *map(str, ahead[path]))
    Console().print(table)


if __name__ == "__main__":
    main()
