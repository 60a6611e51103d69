"""Threads and processes that render and delete without a pause: is any page wrong?

Each user has a version, which stands for everything that a page shows about the user.
A change of a user increases the version and then deletes the user's fragment. Three
things must be true for each page:

- It is the page of the user who asked for it.
- If it began after a delete had returned, it shows the version that was current when
  that delete was called, or a later one. With `--near`, this holds at once for deletes
  of the same process, and after so many seconds for those of others. A page for which
  the store failed may miss deletes of other processes: they are counted.
- It is not older than its timeout plus its grace period. On Memcached, which does not
  tell how long an entry has left, `--near` is added to that.

The data that the body reads is old by the time the text is stored, as it would be with
a database: the body reads the version first, and then takes a while. Some bodies fail.
Some users have many more visitors than others, so that some pages always wait for each
other.

The script ends with an error if a page was wrong. It also prints figures. One of them
is how long an event loop is blocked while 500 of its tasks wait for another process.

Run it with `make soak`, or with options:

    python benchmarks/soak.py --seconds 60 --threads 64 --processes 4 --stale 2
    python benchmarks/soak.py --seconds 60 --threads 16 --processes 4 --near 2
    python benchmarks/soak.py --seconds 60 --threads 8 --processes 3 --store memcached \
        --outages 0.2
"""

import argparse
import asyncio
import math
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from jinja2 import Environment
from rich.console import Console
from rich.table import Table

from jinja_fragcache import (
    FragmentCache,
    FragmentCacheExtension,
    StoreError,
    make_template_fragment_key,
)
from jinja_fragcache.stores import FileStore, MemcachedStore, RedisStore, Store

SPAWN = multiprocessing.get_context("spawn")
STORES = ("redis", "memcached", "file")
# The fraction of all actions that change a user, and that clear the cache. Memcached is
# not cleared, because other processes see a clear only within a second, and see what is
# deleted meanwhile no sooner.
_CHANGES = 0.05
_CLEARS = 0.0002
_BODIES_THAT_FAIL = 0.005
_LONGEST_BODY_SECONDS = 0.02
# The time between the end of a body and the start of its timeout, plus what stores add
# that know only whole seconds.
_SLACK_SECONDS = 2.0
# Users with low numbers have more visitors than others.
_SKEW = 3
# For so many versions of each user it is known when they were promised.
_PROMISES = 256
_SECONDS_TO_START = 60
# The seconds from one outage of a process to its next one.
_OUTAGES_EVERY = 3.0
_MOST_TOLD = 10


@dataclass(frozen=True)
class Settings:
    """The settings of a run.

    Attributes:
        kind: One of `STORES`.
        place: The server's port, or the store's folder.
        seconds: How long the run takes.
        threads: The number of threads in each process.
        processes: The number of processes.
        users: The number of users.
        timeout: The timeout of the fragments, in whole seconds.
        stale: Their grace period `stale`, in seconds.
        near: For how many seconds a process keeps what it has read.
        outages: For what fraction of the time a process does not reach Memcached, each
            one at times of its own.
        seed: The seed of the random numbers.
    """

    kind: str
    place: int | str
    seconds: float = 60.0
    threads: int = 64
    processes: int = 1
    users: int = 1000
    timeout: int = 2
    stale: int = 0
    near: float = 0.0
    outages: float = 0.0
    seed: int = 1


@dataclass
class Figures:
    """What was counted in a run, by one thread or by all.

    Attributes:
        pages: Pages that were rendered.
        renders: Bodies that ran.
        hits: Hits of the cache.
        near_hits: Keys for which the store was not asked.
        stale: Pages that were served past their timeout.
        waited: Pages that waited for another caller.
        deletes: Users that were changed.
        clears: How often the cache was cleared.
        failed_bodies: Bodies that raised.
        failed_deletes: Deletes that raised.
        store_failures: Calls in which the store failed.
        slowest: The longest time that a page took, in seconds.
        oldest: The age of the oldest page that was served, in seconds.
        latest: The longest time in seconds from the end of a delete to the begin of a
            page that still showed what was deleted.
        unreached: Pages for which the store failed or was left alone.
        violations: What was wrong with pages.
    """

    pages: int = 0
    renders: int = 0
    hits: int = 0
    near_hits: int = 0
    stale: int = 0
    waited: int = 0
    deletes: int = 0
    clears: int = 0
    failed_bodies: int = 0
    failed_deletes: int = 0
    store_failures: int = 0
    unreached: int = 0
    slowest: float = 0.0
    oldest: float = 0.0
    latest: float = 0.0
    violations: list[str] = field(default_factory=list)

    def add(self, other: "Figures") -> None:
        """Add the figures of another thread or process."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            longest = name in {"slowest", "oldest", "latest"}
            setattr(self, name, max(mine, value) if longest else mine + value)


class Versions:
    """The versions of all users, shared by all processes.

    A version is promised when the delete of what was before it has returned: no page
    that begins from then on may show an older one.

    Attributes:
        current: The version of each user.
    """

    def __init__(self, users: int) -> None:
        self.current = SPAWN.Array("q", users)
        # For each user, when the last versions were promised, in seconds of
        # `time.monotonic`, which all processes have in common.
        self._promised_at = SPAWN.Array("d", [math.inf] * users * _PROMISES)

    def current_of(self, user: int) -> int:
        """Return a user's version, without the lock: a number is written as a whole."""
        versions: Any = self.current.get_obj()
        version: int = versions[user]
        return version

    def raise_of(self, users: list[int]) -> list[int]:
        """Increase the versions of users and return the new ones."""
        with self.current.get_lock():
            for user in users:
                # First, because the place has the promise of an old version, and a page
                # that sees the new version looks there.
                self._set(user, self.current[user] + 1, math.inf)
                self.current[user] += 1
            return [self.current[user] for user in users]

    def promise(self, users: list[int], versions: list[int]) -> None:
        """Record that no page that begins from now on may show older versions."""
        now = time.monotonic()
        for user, version in zip(users, versions, strict=True):
            self._set(user, version, now)

    def promised(self, user: int, before: float) -> int:
        """Return the newest version of a user that was promised before a moment."""
        current = self.current_of(user)
        for version in range(current, max(current - _PROMISES, 0), -1):
            if self._at(user, version) <= before:
                return version
        return 0

    def lateness(self, user: int, version: int, moment: float) -> float:
        """Return for how many seconds a newer version has been promised, at least 0."""
        newer = range(version + 1, self.current_of(user) + 1)[-_PROMISES:]
        promised_at = min((self._at(user, each) for each in newer), default=math.inf)
        return max(0.0, moment - promised_at)

    def _at(self, user: int, version: int) -> float:
        moments: Any = self._promised_at.get_obj()
        moment: float = moments[user * _PROMISES + version % _PROMISES]
        return moment

    def _set(self, user: int, version: int, moment: float) -> None:
        moments: Any = self._promised_at.get_obj()
        moments[user * _PROMISES + version % _PROMISES] = moment


def check(
    text: str,
    user: int,
    promised: int,
    current: int,
    began: float,
    longest_age: float,
) -> tuple[str | None, float]:
    """Check a page.

    Args:
        text: The page.
        user: The user whose page was requested.
        promised: The oldest version that the page may show.
        current: The user's version when the page was ready.
        began: When the page was requested, in seconds since 1970.
        longest_age: How old the page may be, in seconds.

    Returns:
        What is wrong with the page, or None; and its age in seconds.
    """
    shown, version, made = text.split()
    age = max(0.0, began - float(made))
    if int(shown) != user:
        return f"user {user} got the page of user {shown}", age
    if int(version) < promised:
        return f"user {user} got version {version} after {promised} was promised", age
    if int(version) > current:
        return f"user {user} got version {version} before it was there", age
    if age > longest_age:
        return f"user {user} got a page that was {age:.1f} seconds old", age
    return None, age


def make_store(settings: Settings) -> Store:
    """Open the store that all processes share."""
    patience = 5.0
    if settings.kind == "file":
        return FileStore(str(settings.place), threshold=10 * settings.users)
    port = int(settings.place)
    if settings.kind == "redis":
        return RedisStore(
            "127.0.0.1",
            port,
            key_prefix="soak:",
            socket_timeout=patience,
            socket_connect_timeout=patience,
        )
    return MemcachedStore([f"127.0.0.1:{port}"], key_prefix="soak:")


class _Unreliable:
    """A client that does not reach its server for a fraction of the time."""

    def __init__(self, client: Any, outages: float) -> None:
        self._client = client
        self._outages = outages
        # Of processes whose ids follow each other, the outages are far apart.
        self._phase = os.getpid() * 0.382 % 1

    def __getattr__(self, name: str) -> Any:
        now = time.monotonic() / _OUTAGES_EVERY + self._phase
        if now % 1 < self._outages and name != "close":
            raise ConnectionError("an outage")
        return getattr(self._client, name)


class Site:
    """The cache and the page of one process, and what its threads do with them."""

    def __init__(self, settings: Settings, versions: Versions) -> None:
        self.settings = settings
        store: Any = make_store(settings)
        if settings.outages:
            client = _Unreliable(store._client, settings.outages)  # noqa: SLF001 - the store takes none of these
            store._client = client  # noqa: SLF001
        self.cache = FragmentCache(store, near=settings.near)
        self._versions = versions
        # What this process itself has promised.
        self._own_promises = [0] * settings.users
        self._lock = threading.Lock()
        self._longest_age = settings.timeout + settings.stale + _SLACK_SECONDS
        if settings.kind == "memcached":
            self._longest_age += settings.near
        stale = f", stale={settings.stale}" if settings.stale else ""
        environment = Environment(extensions=[FragmentCacheExtension], autoescape=True)
        environment.fragment_cache = self.cache  # type: ignore[attr-defined]
        self._template = environment.from_string(
            f'{{% cache {settings.timeout}, "user", user{stale} %}}{{{{ body(user) }}}}'
            "{% endcache %}"
        )

    def use(self, seed: int, until: float) -> Figures:
        """Visit and change users until the time is over, in one thread.

        Args:
            seed: The seed of the random numbers.
            until: When to stop, in seconds of `time.monotonic`.
        """
        chosen = random.Random(seed)  # noqa: S311 - nothing secret
        figures = Figures()
        while time.monotonic() < until:
            user = int(self.settings.users * chosen.random() ** _SKEW)
            what = chosen.random()
            if what < _CLEARS and self.settings.kind != "memcached":
                self._change(list(range(self.settings.users)), figures)
            elif what < _CHANGES:
                self._change([user], figures)
            else:
                self._visit(user, chosen, figures)
        return figures

    def _visit(self, user: int, chosen: random.Random, figures: Figures) -> None:
        def body(of_user: int) -> str:
            figures.renders += 1
            version = self._versions.current_of(of_user)
            threading.Event().wait(chosen.random() * _LONGEST_BODY_SECONDS)
            if chosen.random() < _BODIES_THAT_FAIL:
                raise LookupError("the body failed")
            return f"{of_user} {version} {time.time()}"

        own_promise = self._own_promises[user]
        began, before = time.time(), time.monotonic()
        by_others = self._versions.promised(user, before - self.settings.near)
        failures = self._failures()
        try:
            text = self._template.render(user=user, body=body)
        except LookupError:
            figures.failed_bodies += 1
            return
        figures.slowest = max(figures.slowest, time.monotonic() - before)
        figures.pages += 1
        is_reached = self._failures() == failures
        figures.unreached += not is_reached
        promised = max(own_promise, by_others) if is_reached else own_promise
        current = self._versions.current_of(user)
        wrong, age = check(text, user, promised, current, began, self._longest_age)
        figures.oldest = max(figures.oldest, age)
        late = self._versions.lateness(user, int(text.split()[1]), before)
        if is_reached:
            figures.latest = max(figures.latest, late)
        if wrong is not None:
            figures.violations.append(wrong)

    def _failures(self) -> int:
        """Return how often the store failed for this process, or was left alone."""
        stats = self.cache.stats()
        return stats.failures + stats.skipped

    def _change(self, users: list[int], figures: Figures) -> None:
        versions = self._versions.raise_of(users)
        try:
            if len(users) == 1:
                self.cache.delete_fragment("user", users)
                figures.deletes += 1
            else:
                self.cache.clear()
                figures.clears += 1
        except StoreError:
            # A delete that failed promises nothing.
            figures.failed_deletes += 1
            return
        self._versions.promise(users, versions)
        with self._lock:
            for user, version in zip(users, versions, strict=True):
                self._own_promises[user] = max(version, self._own_promises[user])


def close(store: Store) -> None:
    """Close a store's connections to its server."""
    if isinstance(store, RedisStore):
        store._client.close()  # noqa: SLF001 - the store has no method for this
    elif isinstance(store, MemcachedStore):
        store.close()


def run_here(
    settings: Settings, versions: Versions, together: Barrier | None = None
) -> Figures:
    """Run all threads of one process.

    Args:
        settings: The settings of the run.
        versions: The versions of the users.
        together: A barrier at which all processes meet before they begin.
    """
    site = Site(settings, versions)
    if together is not None:
        together.wait(_SECONDS_TO_START)
    until = time.monotonic() + settings.seconds
    sum_of_all = Figures()
    with ThreadPoolExecutor(settings.threads) as pool:
        seeds = [settings.seed * 1000 + number for number in range(settings.threads)]
        for figures in pool.map(lambda seed: site.use(seed, until), seeds):
            sum_of_all.add(figures)
    close(site.cache.store)
    counts = site.cache.stats()
    sum_of_all.hits = counts.hits
    sum_of_all.near_hits = counts.near_hits
    sum_of_all.stale = getattr(counts, "stale", 0)
    sum_of_all.waited = counts.waited
    sum_of_all.store_failures = counts.failures
    return sum_of_all


_shared: tuple[Versions, Barrier]


def _share(versions: Versions, together: Barrier) -> None:
    global _shared  # noqa: PLW0603 - can't be passed to the tasks of a process
    _shared = (versions, together)


def _run_in_process(settings: Settings) -> Figures:
    return run_here(settings, *_shared)


def run(settings: Settings) -> Figures:
    """Run all processes, and return the sum of their figures."""
    versions = Versions(settings.users)
    # Entries of an earlier run have other versions.
    store = make_store(settings)
    FragmentCache(store).clear()
    close(store)
    if settings.processes == 1:
        return run_here(settings, versions)
    together = SPAWN.Barrier(settings.processes)
    sum_of_all = Figures()
    with ProcessPoolExecutor(
        settings.processes, SPAWN, initializer=_share, initargs=(versions, together)
    ) as pool:
        each = [
            replace(settings, seed=settings.seed + number)
            for number in range(settings.processes)
        ]
        for figures in pool.map(_run_in_process, each):
            sum_of_all.add(figures)
    return sum_of_all


def longest_gap(store: Store | None, tasks: int = 500) -> float:
    """Measure how long an event loop is blocked while its tasks wait for a lock.

    Another cache with the same store holds the lock, as another process would.

    Args:
        store: The store, or None to measure a loop that has nothing else to do.
        tasks: The number of tasks that wait.

    Returns:
        The longest delay of a timer in the loop, in seconds.
    """
    seconds = 1.0
    source = '{% cache 60, "gap" %}{{ body() }}{% endcache %}'
    in_body = threading.Event()

    def body() -> str:
        in_body.set()
        threading.Event().wait(seconds)
        return "text"

    async def measure() -> float:
        gaps = []

        async def tick() -> None:
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0.001)
                gaps.append(time.perf_counter() - before - 0.001)

        ticker = asyncio.create_task(tick())
        if store is None:
            await asyncio.sleep(seconds)
        else:
            template = _environment(store, enable_async=True).from_string(source)
            pages = [template.render_async(body=lambda: "other") for _ in range(tasks)]
            await asyncio.gather(*pages)
        ticker.cancel()
        return max(gaps)

    if store is None:
        return asyncio.run(measure())
    FragmentCache(store).delete(make_template_fragment_key("gap"))
    holder = threading.Thread(
        target=_environment(store).from_string(source).render, kwargs={"body": body}
    )
    holder.start()
    in_body.wait()
    gap = asyncio.run(measure())
    holder.join()
    return gap


def _environment(store: Store, **options: Any) -> Environment:
    environment = Environment(
        extensions=[FragmentCacheExtension], autoescape=True, **options
    )
    environment.fragment_cache = FragmentCache(store)  # type: ignore[attr-defined]
    return environment


@contextmanager
def place_of(kind: str) -> Iterator[int | str]:
    """Start a server or create a folder, and yield its port or path."""
    if kind == "file":
        with tempfile.TemporaryDirectory() as folder:
            yield folder
        return
    from tests import servers  # noqa: PLC0415 - needs the path that the script sets

    if kind == "redis":
        with servers.running(*servers.REDIS) as server:
            yield server.port
    else:
        with servers.memcached_server() as server:
            yield server.port


def print_table(
    settings: Settings, figures: Figures, gaps: tuple[float, float]
) -> None:
    """Print the figures of a run.

    Args:
        settings: The settings of the run.
        figures: Its figures.
        gaps: The longest gap of an event loop whose tasks wait, and of an idle one.
    """
    table = Table(
        title=f"{settings.processes} x {settings.threads} threads on {settings.kind},"
        f" {settings.seconds:g} seconds, {settings.users:,} users"
    )
    table.add_column("what")
    table.add_column("figure", justify="right")
    for name, value in vars(figures).items():
        cell = f"{value:.2f} s" if isinstance(value, float) else f"{value!r:.60}"
        if isinstance(value, list):
            cell = f"{len(value):,}"
        elif isinstance(value, int):
            cell = f"{value:,}"
        table.add_row(name.replace("_", " "), cell)
    table.add_row("event loop's longest gap, 500 tasks wait", f"{gaps[0] * 1e3:.1f} ms")
    table.add_row("the same, nothing to do", f"{gaps[1] * 1e3:.1f} ms")
    console = Console(width=100)
    console.print(table)
    for violation in figures.violations[:_MOST_TOLD]:
        console.print(violation)


def main(arguments: list[str] | None = None) -> int:
    """Run with the options of the command line, and return the exit status."""
    parser = argparse.ArgumentParser(description="Look for wrong pages under load.")
    parser.add_argument("--store", choices=STORES, default="redis")
    for name in (
        "seconds",
        "threads",
        "processes",
        "users",
        "timeout",
        "stale",
        "near",
        "outages",
        "seed",
    ):
        default = getattr(Settings, name)
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options = vars(parser.parse_args(arguments))
    kind = options.pop("store")
    if options["outages"] and kind != "memcached":
        parser.error("--outages needs --store memcached")
    with place_of(kind) as place:
        settings = Settings(kind, place, **options)
        store = make_store(settings)
        gaps = (longest_gap(store), longest_gap(None))
        close(store)
        figures = run(settings)
    print_table(settings, figures, gaps)
    return 1 if figures.violations or not figures.pages else 0


if __name__ == "__main__":
    # The helpers that start the servers are in the tests.
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
