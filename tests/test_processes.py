"""Several processes that share a store on real servers, or a folder."""

import json
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests import servers

pytestmark = pytest.mark.slow

PROCESSES = 4
THREADS = 16
# Seconds that a test waits for a report.
_PATIENCE = 30
# Seconds that a busy machine may need besides what is measured.
MARGIN = 4
# Longer than any test: a caller that waits for so long did not notice the lock's end.
FOR_EVER = 4 * _PATIENCE

PAGE = '{% cache 60, "x" %}{{ body() }}{% endcache %}'
STALE_PAGE = '{% cache 60, "x", stale=600 %}{{ body() }}{% endcache %}'
STORES = ["redis", "pylibmc", "pymemcache", "file"]


class Worker:
    """A process with `tests.process_worker` in it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.process_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._open_commands = 0
        self.hear("started")

    @property
    def is_idle(self) -> bool:
        """Whether it runs and has carried out all its commands."""
        return self._process.poll() is None and not self._open_commands

    def tell(self, do: str, **arguments: Any) -> None:
        """Send it a command, without waiting until that is done."""
        if do not in {"go on", "fail"}:
            self._open_commands += 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()

    def hear(self, what: str = "done", seconds: float = _PATIENCE) -> dict[str, Any]:
        """Wait for a report, and check that it is of the expected kind."""
        report = self._heard.get(timeout=seconds)
        assert report["is"] == what, report
        if what in {"done", "have joined"}:
            self._open_commands -= 1
        return report

    def wait_for_joins(self, number: int) -> None:
        """Wait until so many callers there have missed, and joined a flight."""
        self.tell("wait_for_joins", number=number)
        self.hear("have joined")

    def has_said_nothing(self) -> bool:
        return self._heard.empty()

    def do(self, do: str, **arguments: Any) -> dict[str, Any]:
        self.tell(do, **arguments)
        return self.hear()

    def kill(self) -> None:
        """End it at once, as SIGKILL does."""
        self._process.kill()
        self._process.wait(_PATIENCE)
        self._listener.join(_PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._heard.put(json.loads(line))


class Workers:
    """A pool of processes: to start one takes longer than most tests."""

    def __init__(self) -> None:
        self._idle: list[Worker] = []
        self._used: list[Worker] = []

    def take(self, number: int) -> list[Worker]:
        while len(self._idle) < number:
            with ThreadPoolExecutor(number) as pool:
                missing = number - len(self._idle)
                self._idle += [
                    each.result()
                    for each in [pool.submit(Worker) for _ in range(missing)]
                ]
        taken, self._idle = self._idle[:number], self._idle[number:]
        self._used += taken
        return taken

    def give_back(self) -> None:
        """Keep those that are idle for later tests, and end the others."""
        for worker in self._used:
            if worker.is_idle:
                self._idle.append(worker)
            else:
                worker.kill()
        self._used.clear()

    def end(self) -> None:
        self.give_back()
        for worker in self._idle:
            worker.kill()


@pytest.fixture(scope="module")
def all_workers() -> Iterator[Workers]:
    workers = Workers()
    yield workers
    workers.end()


@pytest.fixture
def workers(all_workers: Workers) -> Iterator[Workers]:
    yield all_workers
    all_workers.give_back()


class Place:
    """A store that the processes share.

    Attributes:
        kind: one of `STORES`.
        store: what makes a worker open it.
        config: the settings of a Flask application that uses it.
    """

    def __init__(self, request: pytest.FixtureRequest, kind: str) -> None:
        prefix = f"{uuid.uuid4().hex}:"
        self.kind = kind
        self.store: dict[str, Any] = {"kind": kind, "prefix": prefix}
        self.config: dict[str, Any] = {"CACHE_KEY_PREFIX": prefix}
        if kind == "file":
            folder = self.store["folder"] = str(request.getfixturevalue("tmp_path"))
            self.config |= {"CACHE_TYPE": "filesystem", "CACHE_DIR": folder}
        elif kind == "redis":
            port = self.store["port"] = request.getfixturevalue("redis_port")
            self.config |= {"CACHE_TYPE": "redis", "CACHE_REDIS_PORT": port}
        else:
            if not find_spec(kind):
                servers.missing(f"{kind} is not installed")
            port = self.store["port"] = request.getfixturevalue("memcached_port")
            address = f"127.0.0.1:{port}"
            self.config |= {
                "CACHE_TYPE": "memcached",
                "CACHE_MEMCACHED_SERVERS": [address],
            }

    def open_in(
        self,
        workers: Sequence[Worker],
        page: str = PAGE,
        other: str = "",
        *,
        is_async: bool = False,
        has_clock: bool = False,
        **options: Any,
    ) -> None:
        """Make workers open a cache here.

        Args:
            workers: the workers.
            page: the source of the page.
            other: that of another one.
            is_async: whether they are rendered by tasks.
            has_clock: whether the cache has a clock that can be moved.
            options: arguments for the cache.
        """
        for worker in workers:
            worker.do(
                "set_up",
                store=self.store,
                pages={"page": page, "other": other},
                options={"lock_timeout": FOR_EVER, **options},
                is_async=is_async,
                has_clock=has_clock,
            )

    def open_app_in(self, workers: Sequence[Worker]) -> None:
        for worker in workers:
            worker.do("set_up_app", config=self.config)


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest) -> Place:
    return Place(request, request.param)


@pytest.fixture
def redis_place(request: pytest.FixtureRequest) -> Place:
    return Place(request, "redis")


def all_at_once(
    workers: Sequence[Worker], do: str, **arguments: Any
) -> list[dict[str, Any]]:
    """Send workers the same command at the same moment, and return their reports."""
    for worker in workers:
        worker.tell(do, together=True, **arguments)
    for worker in workers:
        worker.hear("ready")
    for worker in workers:
        worker.tell("go on")
    return [worker.hear() for worker in workers]


def assert_rendered_once(reports: Sequence[dict[str, Any]], number: int) -> str:
    """Return the text that all of them have."""
    assert sum(report["renders"] for report in reports) == 1
    texts = [text for report in reports for text in report["texts"]]
    assert len(texts) == number
    (text,) = set(texts)
    return str(text)


def assert_served(worker: Worker, text: str) -> None:
    report = worker.do("render")
    assert (report["texts"], report["renders"]) == ([text], 0)


def render_anew(worker: Worker) -> str:
    report = worker.do("render")
    assert report["renders"] == 1
    return str(report["texts"][0])


class TestSingleFlight:
    def test_a_fragment_is_rendered_by_one_thread_of_one_process(
        self, workers: Workers, place: Place
    ) -> None:
        crowd = workers.take(PROCESSES)
        place.open_in(crowd)
        reports = all_at_once(crowd, "render", threads=THREADS, body="work")
        text = assert_rendered_once(reports, PROCESSES * THREADS)
        counts = [worker.do("stats") for worker in crowd]
        assert sum(each["stored"] for each in counts) == 1
        assert not sum(each["failures"] for each in counts)
        assert_served(crowd[0], text)

    @pytest.mark.parametrize("what", ["price", "page"])
    def test_functions_and_views_are_called_once(
        self, workers: Workers, redis_place: Place, what: str
    ) -> None:
        crowd = workers.take(PROCESSES)
        redis_place.open_app_in(crowd)
        reports = all_at_once(crowd, "ask", what=what, threads=4, body="work")
        assert_rendered_once(reports, PROCESSES * 4)

    def test_waiting_tasks_do_not_block_the_event_loop(
        self, workers: Workers, redis_place: Place
    ) -> None:
        tasks, seconds = 50, 0.6
        crowd = workers.take(PROCESSES)
        gaps = []
        # A busy machine blocks the loop now and then. A wait for the lock on the loop
        # would block it each time: for as long as the body takes, or for one pause of
        # 0.25 seconds. benchmarks/soak.py prints how long it is on an idle machine.
        for number in range(5):
            page = '{% cache 60, "x", ' + str(number) + " %}{{ body() }}{% endcache %}"
            redis_place.open_in(crowd, page, is_async=True)
            reports = all_at_once(
                crowd, "render_async", page="page", tasks=tasks, seconds=seconds
            )
            assert_rendered_once(reports, PROCESSES * tasks)
            gaps.append(max(report["gap"] for report in reports))
            if gaps[-1] < 0.15:
                break
        assert min(gaps) < 0.15

    def test_callers_do_not_wait_for_another_fragment(
        self, workers: Workers, place: Place
    ) -> None:
        one, two = workers.take(2)
        other = '{% cache 60, "y" %}{{ body() }}{% endcache %}'
        place.open_in([one, two], PAGE, other)
        one.tell("render", body="hold")
        one.hear("in the body")
        assert two.do("render", page="other")["renders"] == 1
        one.tell("go on")
        one.hear()


class TestLockHolder:
    def test_waiting_processes_go_on_if_the_holder_is_killed(
        self, workers: Workers, place: Place
    ) -> None:
        lock_timeout = 2
        holder, *others = workers.take(3)
        place.open_in([holder, *others], lock_timeout=lock_timeout)
        holder.tell("render", body="hold")
        holder.hear("in the body")
        began = time.monotonic()
        for worker in others:
            worker.tell("render", threads=4)
            worker.wait_for_joins(4)
        holder.kill()
        reports = [worker.hear() for worker in others]
        assert time.monotonic() - began < lock_timeout + MARGIN
        assert 1 <= sum(report["renders"] for report in reports) <= 8
        assert sum(len(report["texts"]) for report in reports) == 8
        for worker in others:
            assert worker.do("render")["renders"] == 0

    def test_another_process_renders_if_the_holder_fails(
        self, workers: Workers, place: Place
    ) -> None:
        holder, *others = workers.take(3)
        place.open_in([holder, *others])
        holder.tell("render", body="hold")
        holder.hear("in the body")
        for worker in others:
            worker.tell("render", threads=4)
            worker.wait_for_joins(4)
        began = time.monotonic()
        holder.tell("fail")
        assert holder.hear()["errors"] == ["the body failed"]
        reports = [worker.hear(seconds=MARGIN) for worker in others]
        assert time.monotonic() - began < MARGIN < FOR_EVER
        assert_rendered_once(reports, 8)

    def test_others_wait_for_the_holder_no_longer_than_the_lock_timeout(
        self, workers: Workers, place: Place
    ) -> None:
        holder, *others = workers.take(3)
        place.open_in([holder], lock_timeout=FOR_EVER)
        place.open_in(others, lock_timeout=1)
        holder.tell("render", body="hold")
        holder.hear("in the body")
        began = time.monotonic()
        for worker in others:
            worker.tell("render", threads=4)
        reports = [worker.hear() for worker in others]
        assert time.monotonic() - began < 1 + MARGIN
        assert sum(len(report["texts"]) for report in reports) == 8
        # They had no lock, so they stored nothing.
        assert not sum(worker.do("stats")["stored"] for worker in others)
        holder.tell("go on")
        assert_served(others[0], *holder.hear()["texts"])

    def test_the_holder_stores_nothing_when_its_lock_has_expired(
        self, workers: Workers, place: Place
    ) -> None:
        holder, other = workers.take(2)
        place.open_in([holder], lock_timeout=1)
        place.open_in([other])
        holder.tell("render", body="hold")
        holder.hear("in the body")
        new = render_anew(other)
        holder.tell("go on")
        assert holder.hear()["texts"] != [new]
        for worker in (holder, other):
            assert_served(worker, new)


class TestNear:
    """What one process removes, others that keep it near serve only for a while."""

    @pytest.mark.parametrize("way", ["delete_fragment", "clear"])
    def test_it_is_served_no_longer_than_the_near_timeout(
        self, workers: Workers, place: Place, way: str
    ) -> None:
        # Redis tells, so nobody has to wait for the timeout.
        near = FOR_EVER if place.kind == "redis" else 1
        crowd = workers.take(PROCESSES)
        place.open_in(crowd, near=near)
        old = render_anew(crowd[0])

        def all_have_it_near() -> bool:
            for worker in crowd:
                assert_served(worker, old)
            return all(worker.do("stats")["near_hits"] for worker in crowd)

        # Redis first has to know that they want to be told.
        servers.wait_for(all_have_it_near)
        crowd[0].do("delete", way=way)
        new = render_anew(crowd[0])
        began = time.monotonic()

        def all_have_the_new_one() -> bool:
            reports = [worker.do("render") for worker in crowd]
            assert all(report["renders"] == 0 for report in reports)
            return [report["texts"] for report in reports] == [[new]] * PROCESSES

        servers.wait_for(all_have_the_new_one)
        # Others see a clear of Memcached only within a second.
        assert time.monotonic() - began < 2 + MARGIN


class TestDeleted:
    """A value that another process deletes while it is made is not served later."""

    @pytest.mark.parametrize("way", ["delete_fragment", "clear"])
    def test_a_text_deleted_while_it_renders_is_not_stored(
        self, workers: Workers, place: Place, way: str
    ) -> None:
        holder, deleter, late = workers.take(3)
        place.open_in([holder, deleter, late])
        holder.tell("render", body="hold")
        holder.hear("in the body")
        deleter.do("delete", way=way)
        holder.tell("go on")
        (old,) = holder.hear()["texts"]
        new = render_anew(late)
        assert new != old
        assert_served(deleter, new)
        assert_served_soon(holder, new, place, way)

    @pytest.mark.parametrize("way", ["delete_fragment", "clear"])
    def test_a_text_deleted_while_it_renders_does_not_replace_a_newer_one(
        self, workers: Workers, place: Place, way: str
    ) -> None:
        holder, deleter, late = workers.take(3)
        place.open_in([holder, deleter, late])
        holder.tell("render", body="hold")
        holder.hear("in the body")
        deleter.do("delete", way=way)
        # No caller waits for a text that is made of old data.
        new = render_anew(deleter)
        holder.tell("go on")
        (old,) = holder.hear()["texts"]
        assert old != new
        assert_served(deleter, new)
        assert_served(late, new)
        assert_served_soon(holder, new, place, way)

    def test_waiting_callers_in_another_process_get_a_new_text(
        self, workers: Workers, place: Place
    ) -> None:
        holder, deleter, other = workers.take(3)
        place.open_in([holder, deleter, other])
        holder.tell("render", body="hold")
        holder.hear("in the body")
        other.tell("render", threads=4)
        other.wait_for_joins(4)
        deleter.do("delete", way="delete_fragment")
        report = other.hear(seconds=MARGIN)
        assert report["renders"] == 1
        (new,) = set(report["texts"])
        holder.tell("go on")
        (old,) = holder.hear()["texts"]
        assert old != new
        # A delete takes the lock away first. On Memcached, whoever waits may store the
        # new text before the entry is deleted.
        assert deleter.do("render")["texts"] != [old]
        if place.kind not in {"pylibmc", "pymemcache"}:
            assert_served(deleter, new)

    def test_later_callers_in_the_same_process_get_a_new_text(
        self, workers: Workers, place: Place
    ) -> None:
        """The process does not know that the text of its own thread was deleted."""
        holder, deleter = workers.take(2)
        place.open_in([holder, deleter])
        holder.tell("render", body="hold")
        holder.hear("in the body")
        deleter.do("delete", way="delete_fragment")
        holder.tell("render", body="quick")
        holder.wait_for_joins(2)
        holder.tell("go on")
        texts = [holder.hear()["texts"] for _ in range(2)]
        assert texts[0] != texts[1]

    @pytest.mark.parametrize("kind", ["redis", "pylibmc", "file"])
    def test_a_memoized_value_deleted_while_it_is_made_is_not_served(
        self, request: pytest.FixtureRequest, workers: Workers, kind: str
    ) -> None:
        place = Place(request, kind)
        holder, deleter, late = workers.take(3)
        place.open_app_in([holder, deleter, late])
        holder.tell("ask", what="price", body="hold")
        holder.hear("in the body")
        deleter.do("delete", way="delete_memoized")
        holder.tell("go on")
        (old,) = holder.hear()["texts"]
        (new,) = late.do("ask", what="price")["texts"]
        assert old != new
        for worker in (holder, deleter, late):
            report = worker.do("ask", what="price")
            assert (report["texts"], report["renders"]) == ([new], 0)

    @pytest.mark.parametrize("kind", ["redis", "pylibmc", "file"])
    def test_later_callers_of_a_memoized_function_get_a_new_value(
        self, request: pytest.FixtureRequest, workers: Workers, kind: str
    ) -> None:
        place = Place(request, kind)
        holder, deleter = workers.take(2)
        place.open_app_in([holder, deleter])
        holder.tell("ask", what="price", body="hold")
        holder.hear("in the body")
        deleter.do("delete", way="delete_memoized")
        holder.tell("ask", what="price", body="quick")
        holder.wait_for_joins(2)
        holder.tell("go on")
        texts = [holder.hear()["texts"] for _ in range(2)]
        assert texts[0] != texts[1]


def assert_served_soon(worker: Worker, text: str, place: Place, way: str) -> None:
    """Check that a process serves a text, at once or as soon as the store promises."""
    if way == "clear" and place.kind in {"pylibmc", "pymemcache"}:
        # Other processes notice within a second that Memcached was cleared.
        began = time.monotonic()
        servers.wait_for(lambda: worker.do("render")["texts"] == [text])
        assert time.monotonic() - began < 1 + MARGIN
    assert_served(worker, text)


def nested(outer: str, inner: str) -> str:
    """Return a page with a fragment in another one.

    The text of each is the same wherever it stands, as it is in pages that are right.
    """
    return (
        f'{{% cache 60, "{outer}" %}}{{% set _ = body() %}}{{% set used %}}'
        f'{{% cache 60, "{inner}" %}}{inner}{{% endcache %}}'
        f"{{% endset %}}{outer} uses {{{{ used[0] }}}}{{% endcache %}}"
    )


def test_fragments_in_each_other_in_two_processes_wait_a_tenth_of_the_lock_timeout(
    workers: Workers, place: Place
) -> None:
    lock_timeout = 20
    pair = workers.take(2)
    one, two = (nested(*names) for names in ("AB", "BA"))
    place.open_in([pair[0]], one, lock_timeout=lock_timeout)
    place.open_in([pair[1]], two, lock_timeout=lock_timeout)
    for worker in pair:
        worker.tell("render", body="hold")
    for worker in pair:
        worker.hear("in the body")
    began = time.monotonic()
    for worker in pair:
        worker.tell("go on")
    pages = [worker.hear()["texts"][0] for worker in pair]
    # A nested render waits a tenth of the lock timeout for another fragment.
    assert time.monotonic() - began < lock_timeout / 10 + MARGIN < lock_timeout
    assert pages == ["A uses B", "B uses A"]


class TestStale:
    def due(self, workers: Sequence[Worker], place: Place) -> str:
        """Make an entry whose timeout has passed, and return its text."""
        place.open_in(workers, STALE_PAGE, has_clock=True)
        text = render_anew(workers[0])
        assert_served(workers[-1], text)
        for worker in workers:
            worker.do("move_clock", seconds=120)
        return text

    def test_all_callers_but_the_renderer_are_served_the_old_text_at_once(
        self, workers: Workers, place: Place
    ) -> None:
        crowd = workers.take(PROCESSES)
        old = self.due(crowd, place)
        holder, *others = crowd
        holder.tell("render", body="hold")
        holder.hear("in the body")
        reports = all_at_once(others, "render", threads=4)
        assert [report["texts"] for report in reports] == [[old] * 4] * len(others)
        assert not sum(report["renders"] for report in reports)
        assert [worker.do("stats")["stale"] for worker in others] == [4] * len(others)
        # So are callers in the same process.
        holder.tell("render", body="quick")
        assert holder.hear()["texts"] == [old]
        assert holder.has_said_nothing()
        holder.tell("go on")
        (new,) = holder.hear()["texts"]
        assert new != old
        for worker in crowd:
            assert_served(worker, new)

    def test_one_caller_of_all_processes_renders(
        self, workers: Workers, place: Place
    ) -> None:
        crowd = workers.take(PROCESSES)
        old = self.due(crowd, place)
        reports = all_at_once(crowd, "render", threads=4, body="work")
        assert sum(report["renders"] for report in reports) == 1
        texts = [text for report in reports for text in report["texts"]]
        assert texts.count(old) == PROCESSES * 4 - 1
        (new,) = set(texts) - {old}
        assert_served(crowd[0], new)

    def test_a_deleted_entry_is_not_served_stale(
        self, workers: Workers, place: Place
    ) -> None:
        holder, deleter, late = crowd = workers.take(3)
        old = self.due(crowd, place)
        holder.tell("render", body="hold")
        holder.hear("in the body")
        deleter.do("delete", way="delete_fragment")
        new = render_anew(late)
        holder.tell("go on")
        assert not {old, new}.intersection(holder.hear()["texts"])
        for worker in crowd:
            assert_served(worker, new)

    def test_a_deleted_text_is_not_served_instead_of_an_error(
        self, workers: Workers, place: Place
    ) -> None:
        holder, deleter = workers.take(2)
        page = PAGE.replace('"x"', '"x", stale_if_error=600')
        place.open_in([holder, deleter], page, has_clock=True)
        old = render_anew(holder)
        for worker in (holder, deleter):
            worker.do("move_clock", seconds=120)
        holder.tell("render", body="hold")
        holder.hear("in the body")
        deleter.do("delete", way="delete_fragment")
        holder.tell("render", body="quick")
        holder.wait_for_joins(3)
        holder.tell("fail")
        reports = sorted((holder.hear() for _ in range(2)), key=lambda it: it["errors"])
        assert [report["errors"] for report in reports] == [[], ["the body failed"]]
        assert old not in reports[0]["texts"]

    def test_if_the_renderer_is_killed_another_process_renders(
        self, workers: Workers, redis_place: Place
    ) -> None:
        """Others are served the old text until the lock has expired."""
        holder, other = workers.take(2)
        old = self.due([holder, other], redis_place)
        for worker in (holder, other):
            redis_place.open_in([worker], STALE_PAGE, has_clock=True, lock_timeout=1)
            worker.do("move_clock", seconds=120)
        holder.tell("render", body="hold")
        holder.hear("in the body")
        assert_served(other, old)
        holder.kill()

        def renders_anew() -> bool:
            return bool(other.do("render")["texts"] != [old])

        servers.wait_for(renders_anew)
