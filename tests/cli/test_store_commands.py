"""`stats`, `invalidate` and `clear`, on a real Redis, in files and in memory."""

import json
import os
import re
from importlib import import_module
from operator import attrgetter

import pytest
import redis
from flask import Flask

from jinja_fragcache import Cache, FragmentCache
from jinja_fragcache.cli import store_commands
from tests.cli.support import REDIS, here, render, run, site
from tests.support import environment

__all__ = ["here", "site"]

pytestmark = pytest.mark.usefixtures("site")
COMMANDS = [["stats"], ["invalidate", "t"], ["clear", "--yes"], ["list"]]


def test_stats_count_what_is_in_the_store() -> None:
    render(7, 8)
    lines = run("stats", *REDIS).stdout.splitlines()
    assert "keys that begin with 'site_'" in lines[0]
    # Two rows, the foot, and the version of a tag.
    assert "Entries     4" in lines
    assert "No worker has told what it has counted" in lines[-1]


def test_stats_show_what_all_workers_have_counted(redis_port: int) -> None:
    module = import_module("shop_of_the_test")
    collecting = FragmentCache(module.app.jinja_env.fragment_cache.store)
    figures = collecting.collect_figures()
    writing, figures.changed = figures.changed, lambda: None
    page = environment({"p": "{% cache 60, 'row', n %}x{% endcache %}"}, collecting)
    for number in (7, 7, 8):
        page.get_template("p").render(n=number)
    writing()
    collecting._worker_figures.flush(60)
    shown = run("stats", *REDIS).stdout
    assert re.search(r"row +fragment +3 +1 \(33\.3%\) +2 +0 +0 ", shown)
    assert "Counted by 1 worker:" in shown
    assert f", process {os.getpid()}, for " in shown
    told = json.loads(run("stats", "--json", *REDIS).stdout)["workers"]
    (worker,), (name,) = told["workers"], told["names"]
    assert worker["pid"] == os.getpid()
    assert (name["hits"], name["misses"], name["renders"]) == (1, 2, 2)
    assert name["reasons"] == {"no entry": 2}
    assert told["note"] == ""
    # They are no entry of anybody's.
    listed = json.loads(run("list", "--json", *REDIS).stdout)
    assert (len(listed["stored"]), listed["other_entries"]) == (1, 0)


def test_stats_of_a_store_in_memory_say_whom_to_ask() -> None:
    lines = run("stats", "--env", "shop_of_the_test:memory").stdout.splitlines()
    # What it says to call is there, in Flask and elsewhere.
    cache, env = Cache(Flask("shop"), config={"CACHE_TYPE": "simple"}), environment()
    calls = dict(re.findall(r"(\w+)\.([\w.]+)\(\)", lines[-1]))
    for name, owner in (("cache", cache), ("env", env)):
        assert not attrgetter(calls[name])(owner)().workers
    told = json.loads(run("stats", "--json", "--env", "shop_of_the_test:memory").stdout)
    assert told["workers"] is None


def test_stats_as_json() -> None:
    render()
    told = json.loads(run("stats", "--json", *REDIS).stdout)
    assert told["workers"] is None
    store = told["store"]
    assert (store["entries"], store["is_partial"]) == (3, False)
    assert store["bytes"] > 20
    assert store["seconds_to_answer"] > 0


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ("memory", "each worker has its own, in its memory"),
        ("files", "Entries     0"),
        ("own", "the store does not tell"),
        ("awaited", "No worker has told what it has counted"),
    ],
)
def test_stats_of_other_stores(env: str, told: str) -> None:
    result = run("stats", "--env", f"shop_of_the_test:{env}")
    assert result.exit_code == 0
    assert told in result.stdout


def test_entries_with_a_tag_are_misses_afterwards() -> None:
    assert render() == 2
    assert render() == 0
    result = run("invalidate", "rows", "posts", *REDIS)
    assert result.stdout == "Invalidated all entries with the tag rows or posts.\n"
    assert render() == 1
    told = json.loads(run("invalidate", "rows", "--json", *REDIS).stdout)
    assert told == {"invalidated": ["rows"]}


@pytest.mark.parametrize("tag", ["", " "])
def test_a_blank_tag_is_refused_and_nothing_is_invalidated(tag: str) -> None:
    render()
    result = run("invalidate", "rows", tag, *REDIS)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "A TAG is blank, so nothing was invalidated" in result.stderr
    assert render() == 0


def test_clear_deletes_all_and_nothing_of_others(redis_port: int) -> None:
    client = redis.Redis(port=redis_port)
    client.set("of another program", "1")
    render()
    result = run("clear", "--yes", *REDIS)
    assert result.exit_code == 0
    assert result.stdout == (
        f"Cleared Redis at localhost:{redis_port}, database 0, keys that begin with"
        " 'site_'.\n"
    )
    assert json.loads(run("stats", "--json", *REDIS).stdout)["store"]["entries"] == 0
    assert client.delete("of another program") == 1
    assert "cleared" in json.loads(run("clear", "--yes", "--json", *REDIS).stdout)


def test_clear_asks_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_commands, "_is_terminal", lambda: True)
    render()
    result = run("clear", *REDIS, input="n\n")
    assert result.exit_code == 1
    assert "Delete everything in Redis at" in result.stderr
    assert render() == 0
    assert run("clear", *REDIS, input="y\n").exit_code == 0
    assert render() == 2


def test_clear_does_nothing_where_it_can_not_ask() -> None:
    render()
    result = run("clear", *REDIS)
    assert result.exit_code == 2
    assert "Write --yes" in result.stderr
    assert render() == 0


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_memory_can_not_be_reached(command: list[str]) -> None:
    result = run(*command, "--env", "shop_of_the_test:memory")
    assert result.exit_code == 2
    assert "each worker keeps entries in its own memory" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("target", "told"),
    [
        (["--env", "shop_of_the_test:down"], "Check the host and port"),
        (["--env", "shop_of_the_test:plain"], "The environment has no cache."),
        (["--app", "shop_of_the_test:bare"], "The application shop_of_the_test:bare"),
        ([*REDIS, "--env", "a:b"], "Give --app or --env, not both."),
        ([], "Which cache? Give --app or --env"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    command: list[str], target: list[str], told: str
) -> None:
    result = run(*command, *target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
