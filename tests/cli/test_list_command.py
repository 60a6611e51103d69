import json
from pathlib import Path

import pytest
import redis

from jinja_fragcache.cli.list_command import _named
from jinja_fragcache.stores.facts import Amounts
from tests.cli.support import REDIS, here, render, run, site, write

__all__ = ["here", "site"]


@pytest.mark.usefixtures("site")
def test_what_is_stored_is_listed_by_name() -> None:
    render(7, 8)
    result = run("list", *REDIS)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines() if "fragment" in line]
    assert [row[:3] for row in rows] == [
        ["foot", "fragment", "1"],
        ["row", "fragment", "2"],
    ]
    assert result.stdout.splitlines()[-1].startswith("2 names, in Redis at localhost")


@pytest.mark.usefixtures("site")
def test_what_is_stored_as_json(redis_port: int) -> None:
    render(7, 8)
    client = redis.Redis(port=redis_port)
    client.set("site_value", "1")
    client.rpush("site_list", 1)
    told = json.loads(run("list", "--json", *REDIS).stdout)
    rows = [(row["name"], row["kind"], row["entries"]) for row in told["stored"]]
    assert rows == [("foot", "fragment", 1), ("row", "fragment", 2)]
    sizes = [client.strlen(key) for key in client.keys("site_fragment:row:*")]
    assert told["stored"][1]["bytes"] == sum(sizes) > 0
    assert (told["other_entries"], told["is_partial"]) == (2, False)
    assert ", and 2 other keys, in Redis" in run("list", *REDIS).stdout


def test_names_are_the_same_with_values_of_the_whole_cache() -> None:
    amounts = Amounts(
        {
            "fragment:row:x": (1, 10),
            "varied:fragment:row:x": (2, 20),
            "memoize:row:x": (3, 30),
            "lock:fragment:row": (4, 40),
            "tag:fragment": (5, 50),
            "view": (6, 60),
            "": (7, 70),
        }
    )
    rows = [("row:x", "fragment", 3, 30), ("row:x()", "function", 3, 30)]
    assert _named(amounts) == (rows, 13)


@pytest.mark.usefixtures("site")
def test_nothing_stored_is_no_error() -> None:
    assert run("list", *REDIS).stdout.startswith("0 names, in Redis at")


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("env", ["files", "own"])
def test_a_store_that_does_not_tell_its_keys_is_told(env: str) -> None:
    result = run("list", "--env", f"shop_of_the_test:{env}")
    assert result.exit_code == 2
    assert "does not tell its keys, as Redis does." in result.stderr
    assert "write list --templates" in result.stderr


def test_paths_are_of_templates() -> None:
    result = run("list", "templates")
    assert result.exit_code == 2
    assert "write list --templates PATHS" in result.stderr


def test_the_list_of_templates(here: Path) -> None:
    source = """\
        {% cache 300, "b", x.id, lang, tags=["t"] %}{% endcache %}
        {% cache %}{% endcache %}{% cache_each a in c, 60, "[red]", a %}{% endcache_each %}
        """
    write(here, "templates/a.html", source)
    result = run("list", "--templates", "templates")
    assert result.exit_code == 0
    lines = [line.split() for line in result.output.splitlines() if "a.html" in line]
    assert lines == [
        ["[red]", "60", "a", "a.html:2"],
        ["a.html:2", "default", "a.html:2"],
        ["b", "300", "x.id,", "lang", '["t"]', "a.html:1"],
    ]
    assert result.output.splitlines()[-1] == "3 fragments."


def test_the_list_of_templates_as_json(here: Path) -> None:
    write(here, "templates/a.html", '{% cache 300, "b", x.id %}{% endcache %}')
    result = run("list", "--templates", "templates", "--json")
    assert json.loads(result.stdout) == [
        {
            "name": "b",
            "kind": "cache",
            "timeout": "300",
            "key": "x.id",
            "tags": "",
            "template": "a.html",
            "line": 1,
            "file": "templates/a.html",
        }
    ]


def test_a_template_that_can_not_be_listed_is_told(here: Path) -> None:
    write(here, "templates/a.html", "{% if %}")
    result = run("list", "--templates", "templates")
    assert result.exit_code == 1
    assert "templates/a.html: can't be parsed." in result.stderr
    write(here, "templates/b.html", "")
    assert run("list", "--templates", "templates/b.html").exit_code == 0
