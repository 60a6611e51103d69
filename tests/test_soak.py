"""Short runs of benchmarks/soak.py: it finds wrong pages, and none in a right cache."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import soak
from benchmarks.soak import Figures, Settings, Versions, check
from jinja_fragcache import FragmentCache
from jinja_fragcache.stores.near import NearMemory
from tests import servers
from tests.support import Clock

SHORT: dict[str, Any] = {"seconds": 1.5, "users": 200}


@pytest.fixture(params=soak.STORES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    place: dict[str, Any] = {"file": str(tmp_path)}
    if request.param != "file":
        place[request.param] = request.getfixturevalue(f"{request.param}_port")
    return Settings(request.param, place[request.param], **SHORT)


@pytest.fixture
def redis_settings() -> Iterator[Settings]:
    with servers.running(*servers.REDIS) as server:
        yield Settings("redis", server.port, **SHORT)


def assert_all_was_done(figures: Figures) -> None:
    assert figures.pages > 100
    assert figures.renders
    assert figures.hits
    assert figures.waited
    assert figures.deletes


@pytest.mark.slow
@pytest.mark.parametrize("stale", [0, 2])
def test_no_page_is_wrong_in_many_threads(redis_settings: Settings, stale: int) -> None:
    figures = soak.run(replace(redis_settings, threads=64, stale=stale))
    assert figures.violations == []
    assert_all_was_done(figures)


@pytest.mark.slow
def test_no_page_is_wrong_in_several_processes(settings: Settings) -> None:
    figures = soak.run(replace(settings, threads=8, processes=3))
    assert figures.violations == []
    assert_all_was_done(figures)


@pytest.mark.slow
@pytest.mark.parametrize("settings", ["memcached"], indirect=True)
def test_no_page_is_wrong_in_processes_that_do_not_reach_the_server_now_and_then(
    settings: Settings,
) -> None:
    figures = soak.run(replace(settings, threads=8, processes=3, outages=0.2))
    assert figures.violations == []
    assert_all_was_done(figures)
    assert 0 < figures.unreached < figures.pages / 2


@pytest.mark.slow
def test_no_page_is_wrong_in_several_processes_that_keep_near_what_they_read(
    settings: Settings,
) -> None:
    figures = soak.run(replace(settings, threads=4, processes=4, near=0.5))
    assert figures.violations == []
    assert_all_was_done(figures)
    assert figures.near_hits
    assert figures.latest < 0.5


@pytest.mark.slow
def test_what_is_kept_near_after_a_delete_is_detected(
    redis_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NearMemory, "note_changes", lambda *_: None)
    assert soak.run(replace(redis_settings, threads=8, near=1)).violations


def test_a_version_is_promised_when_its_delete_has_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions, clock = Versions(2), Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    for _ in range(soak._PROMISES + 1):
        versions.promise([1], versions.raise_of([1]))
        clock.now += 1
    last = soak._PROMISES + 1
    versions.raise_of([1])  # its delete has not returned
    assert versions.promised(1, clock.now) == last
    assert versions.promised(1, clock.now - 1.5) == last - 1
    assert versions.promised(1, 0) == 0
    assert versions.lateness(1, last, clock.now) == 0
    assert versions.lateness(1, last - 1, clock.now) == 1
    assert versions.lateness(1, last - 3, clock.now) == 3
    assert versions.promised(0, clock.now) == 0


def test_no_page_sees_a_new_version_with_the_promise_of_an_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions = Versions(1)
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(
        versions, "_set", lambda _, new, __: seen.append((versions.current_of(0), new))
    )
    versions.raise_of([0])
    assert seen == [(0, 1)]


@pytest.mark.slow
def test_a_delete_that_does_nothing_is_detected(
    redis_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FragmentCache, "delete_fragment", lambda *_: None)
    assert soak.run(replace(redis_settings, threads=8)).violations


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("7 3 100.0", None),
        ("7 4 100.0", None),
        ("7 3 96.5", None),
        ("8 3 100.0", "user 7 got the page of user 8"),
        ("7 2 100.0", "user 7 got version 2 after 3 was promised"),
        ("7 5 100.0", "user 7 got version 5 before it was there"),
        ("7 3 95.9", "user 7 got a page that was 4.1 seconds old"),
    ],
)
def test_check_finds_pages_that_are_old_or_of_another_user(
    text: str, wrong: str | None
) -> None:
    assert check(text, 7, 3, 4, began=100.0, longest_age=4.0)[0] == wrong


@pytest.mark.slow
def test_the_soak_test_runs_from_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert soak.main(["--seconds", "0.5", "--threads", "4", "--store", "file"]) == 0
    assert "violations" in capsys.readouterr().out


@pytest.mark.slow
def test_the_soak_test_exits_with_an_error_if_a_page_was_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FragmentCache, "delete_fragment", lambda *_: None)
    options = ["--seconds", "1", "--threads", "4", "--store", "file", "--users", "5"]
    assert soak.main(options) == 1
    assert "was promised" in capsys.readouterr().out
