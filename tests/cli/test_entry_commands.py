"""`show`, `key` and `delete`, on a real Redis, in files and in memory."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from jinja_fragcache import make_template_fragment_key
from tests.cli.support import REDIS, here, render, run, site

__all__ = ["here", "site"]

ROW = make_template_fragment_key("row", [7])


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["row", "7"], ROW),
        (["foot"], make_template_fragment_key("foot")),
        (["row", "7", "en"], make_template_fragment_key("row", [7, "en"])),
        (
            ["row", "--json-keys", "7", "null"],
            make_template_fragment_key("row", [7, None]),
        ),
        (["row", "--", "-7"], make_template_fragment_key("row", [-7])),
    ],
)
def test_the_key_is_that_of_the_tag(arguments: list[str], key: str) -> None:
    assert run("key", *arguments).stdout == f"{key}\n"


def test_the_key_as_json() -> None:
    told = json.loads(run("key", "row", "7", "--json").stdout)
    assert told == {"fragment": "row[7]", "key": ROW}


def test_a_key_that_is_no_json_is_told() -> None:
    result = run("key", "row", "en", "--json-keys")
    assert result.exit_code == 2
    assert "The KEY en is not JSON." in result.stderr
    assert "'\"en\"'" in result.stderr


@pytest.mark.usefixtures("site")
def test_what_is_stored_is_shown() -> None:
    render()
    result = run("show", "row", "7", *REDIS)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    shown = dict(line.split(maxsplit=1) for line in lines[:3])
    state = "fresh: not expired, and no tag was invalidated"
    assert shown == {"Fragment": "row[7]", "Key": ROW, "State": state}
    assert any(line.startswith("Tag ") and "rows" in line for line in lines)
    assert lines[-1] == "<b>7</b>{% nocache %}...{% endnocache %}"


@pytest.mark.usefixtures("site")
def test_what_is_stored_as_json() -> None:
    render()
    told = json.loads(run("show", "row", "7", "--json", *REDIS).stdout)
    assert (told["fragment"], told["key"], told["is_current"]) == ("row[7]", ROW, True)
    assert 290 < told["fresh_for"] <= 300
    assert [tag["name"] for tag in told["tags"]] == ["rows"]
    assert told["text"].startswith("<b>7</b>")
    foot = json.loads(run("show", "foot", "--json", *REDIS).stdout)
    assert (foot["fresh_for"], foot["kept_for"]) == ("ever", "ever")


@pytest.mark.usefixtures("site")
def test_an_invalidated_entry_says_by_which_tag() -> None:
    render()
    run("invalidate", "rows", *REDIS)
    assert "invalidated by the tag rows" in run("show", "row", "7", *REDIS).stdout


@pytest.mark.usefixtures("site")
def test_nothing_stored_is_the_status_1() -> None:
    result = run("show", "row", "8", *REDIS)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Nothing is stored for row[8] (fragment:row:" in result.stderr
    assert "_ may stand" not in result.stderr


@pytest.mark.usefixtures("site")
def test_a_name_that_the_list_shows_in_another_way_is_told() -> None:
    told = "_ may stand for a space or for a character that is not ASCII"
    assert told in run("show", "search_box", "q", *REDIS).stderr
    assert told in run("delete", "search_box", "q", *REDIS).stdout
    result = run("show", "row", "8", "--json", *REDIS)
    assert (result.exit_code, result.stdout) == (1, "null\n")


@pytest.mark.usefixtures("site")
def test_a_function_that_the_list_shows_is_told() -> None:
    told = "In the application, cache.delete_memoized('shop.price') deletes them."
    assert told in run("show", "shop.price()", *REDIS).stderr
    assert told in run("delete", "shop.price()", *REDIS).stdout
    assert told not in run("show", "shop.price", *REDIS).stderr


@pytest.mark.usefixtures("site")
def test_control_characters_do_not_reach_the_terminal() -> None:
    render("\x1b[31m\x07")
    stdout = run("show", "row", "\x1b[31m\x07", *REDIS).stdout
    assert "\x1b" not in stdout
    assert "\x07" not in stdout
    assert r"\x1b[31m" in stdout


@pytest.mark.usefixtures("site")
def test_one_entry_is_deleted() -> None:
    render(7, 8)
    assert run("delete", "row", "7", *REDIS).stdout == "Deleted row[7].\n"
    assert run("show", "row", "7", *REDIS).exit_code == 1
    assert run("show", "row", "8", *REDIS).exit_code == 0
    again = run("delete", "row", "7", *REDIS)
    assert again.exit_code == 0
    assert again.stdout.startswith("Nothing was stored for row[7].")
    told = json.loads(run("delete", "row", "8", "--json", *REDIS).stdout)
    assert told["was_stored"] is True


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("command", ["show", "delete"])
def test_memory_can_not_be_reached(command: str) -> None:
    result = run(command, "row", "7", "--env", "shop_of_the_test:memory")
    assert result.exit_code == 2
    assert "each worker keeps entries in its own memory" in result.stderr


@pytest.mark.usefixtures("site")
def test_files_are_shown_and_deleted(here: Path) -> None:
    render(env="files")
    env = ("--env", "shop_of_the_test:files")
    assert "<b>7</b>" in run("show", "row", "7", *env).stdout
    assert run("delete", "row", "7", *env).stdout == "Deleted row[7].\n"
    assert run("show", "row", "7", *env).exit_code == 1
    assert (here / "entries").is_dir()


@pytest.mark.usefixtures("site")
def test_signed_and_compressed_entries_are_shown_and_others_not_believed() -> None:
    long = "x" * 3000
    render(7, long, env="sealed_env")
    env = ("--env", "shop_of_the_test:sealed_env")
    assert "<b>7</b>" in run("show", "row", "7", *env).stdout
    assert f"<b>{long}</b>" in run("show", "row", long, *env).stdout
    sealed = import_module("shop_of_the_test").sealed
    sealed.store.set(ROW, "<b>forged</b>")
    shown = run("show", "row", "7", *env).stdout
    assert "not served: it can't be read, so it is a miss" in shown
    assert "forged" not in shown


@pytest.mark.usefixtures("site")
def test_values_of_the_whole_cache_are_part_of_the_key() -> None:
    render(env="varied")
    env = ("--env", "shop_of_the_test:varied")
    shown = run("show", "row", "7", *env).stdout
    assert "varied:fragment:row" in shown
    assert "State      fresh" in shown
    assert run("delete", "row", "7", *env).stdout == "Deleted row[7].\n"
    assert "State      fresh" not in run("show", "row", "7", *env).stdout


@pytest.mark.usefixtures("site")
def test_values_that_need_a_request_are_told() -> None:
    result = run("show", "row", "7", "--env", "shop_of_the_test:failing")
    assert result.exit_code == 2
    assert "vary_on of the cache (in Flask, CACHE_VARY_ON) raised" in result.stderr


@pytest.mark.usefixtures("site")
def test_stores_with_coroutines_are_awaited() -> None:
    result = run("delete", "row", "7", "--env", "shop_of_the_test:awaited")
    assert result.exit_code == 0
    assert result.stdout.startswith("Nothing was stored for row[7].")
