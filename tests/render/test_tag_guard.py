"""What a tag's body reads has to be in its key."""

import logging
from typing import Any

import pytest

from jinja_fragcache import FragmentCache, MemoryStore, UncoveredReadError, note_read
from jinja_fragcache.engine import dependencies, noted_reads
from jinja_fragcache.engine.noted_reads import guard_variables
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.render.tag_guard import explained
from tests.support import environment

TENANT = "{{ tenant }}"
AUTO_SITE = ("page", 1, "digest", "", "|||auto:1", "")


@pytest.fixture(autouse=True)
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "_noting", {})
    monkeypatch.setattr(noted_reads, "_again", {})
    guard_variables("tenant")


def rendered(source: str, **options: Any) -> tuple[list[str], int]:
    """Return the text for two tenants, and how many entries were stored."""
    cache = FragmentCache(MemoryStore(), **options)
    template = environment({"page.html": source}, cache).get_template("page.html")
    texts = [template.render(tenant=each, same=[1]) for each in ("Ann", "Bob")]
    return texts, cache.stats().stored


def tag(arguments: str, body: str = TENANT) -> str:
    return "{% cache 60, " + arguments + " %}" + body + "{% endcache %}"


@pytest.mark.parametrize(
    "arguments", ["'n'", "'n', same", "'n', stale=5", "'n' ~ same"]
)
def test_a_fragment_whose_key_lacks_what_its_body_reads_is_not_stored(
    arguments: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert rendered(tag(arguments)) == (["Ann", "Bob"], 0)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(
        "page.html, line 1: the fragment is not cached. Its body reads tenant"
    )


@pytest.mark.parametrize(
    "arguments",
    ["'n', tenant", "'n', tenant|string", "'n', same, tenant, stale=5", "'n' ~ tenant"],
)
def test_a_fragment_whose_key_names_what_its_body_reads_is_stored_for_each(
    arguments: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert rendered(tag(arguments)) == (["Ann", "Bob"], 2)
    assert caplog.records == []


def test_a_value_in_the_key_covers_what_gave_it() -> None:
    source = "{% set who = tenant %}" + tag("'n', who")
    assert rendered(source) == (["Ann", "Bob"], 2)


def test_a_value_that_was_the_same_by_chance_covers_nothing_in_the_next_request() -> (
    None
):
    cache = FragmentCache(MemoryStore())
    source = "{% cache 60, 'n', product %}{{ tenant }}{% endcache %}"
    template = environment({"page.html": source}, cache).get_template("page.html")
    assert template.render(tenant=5, product=5) == "5"
    assert template.render(tenant=6, product=5) == "6"


def test_nor_does_such_a_value_cover_it_for_a_fragment_around() -> None:
    now = {"user": 5}

    def read() -> int:
        note_read("shop.user", now["user"], again=lambda: now["user"])
        return now["user"]

    inner = tag("'n', product", "{{ read() }}")
    source = tag("'o', product", inner) + tag("'p', product", inner)
    env = environment({"page.html": source}, FragmentCache(MemoryStore()))
    template = env.get_template("page.html")
    assert template.render(product=5, read=read) == "55"
    now["user"] = 6
    assert template.render(product=5, read=read) == "66"


def test_an_uncovered_read_is_an_error_with_the_tag_to_write_in_a_strict_cache() -> (
    None
):
    with pytest.raises(
        UncoveredReadError, match=r'Write \{% cache 60, "n", tenant %\}, or put'
    ):
        rendered(tag("'n'"), strict=True)


@pytest.mark.parametrize("options", [{"guard": False}, {"guard_allow": ["tenant"]}])
def test_a_cache_may_allow_what_keys_lack(options: dict[str, Any]) -> None:
    assert rendered(tag("'n'"), **options) == (["Ann", "Ann"], 1)


def test_a_tag_may_allow_what_its_key_lacks() -> None:
    assert rendered(tag("'n', allow=['tenant']")) == (["Ann", "Ann"], 1)


def test_a_macro_in_the_body_reads_a_variable_though_the_page_has_read_it_before() -> (
    None
):
    macro = "{{ tenant }}{% macro nav() %}{{ tenant }}{% endmacro %}"
    assert rendered(macro + tag("'n'", "{{ nav() }}")) == (["AnnAnn", "BobBob"], 0)


def test_what_is_read_in_a_hole_is_not_in_the_body() -> None:
    source = tag("'n'", "x{% nocache %}{{ tenant }}{% endnocache %}")
    assert rendered(source) == (["xAnn", "xBob"], 1)


@pytest.mark.parametrize("key", ["tenant", "tenant|string"])
def test_rows_have_guards_of_their_own(key: str) -> None:
    rows = "{% cache_each n in same, 60, 'row', n KEY %}{{ tenant }}{% endcache_each %}"
    assert rendered(rows.replace("KEY", "")) == (["Ann", "Bob"], 0)
    assert rendered(rows.replace("KEY", f", {key}")) == (["Ann", "Bob"], 2)


@pytest.mark.parametrize(
    ("outer", "stored"), [("'o'", 2), ("'o', tenant", 4), ("'o', tenant|e", 4)]
)
def test_what_a_nested_fragment_reads_is_read_by_the_one_around(
    outer: str, stored: int
) -> None:
    source = tag(outer, tag("'n', tenant"))
    assert rendered(source) == (["Ann", "Bob"], stored)


def test_a_hit_inside_of_another_body_passes_its_reads_on() -> None:
    source = tag("'n', tenant") + tag("'o'", tag("'n', tenant"))
    assert rendered(source) == (["AnnAnn", "BobBob"], 2)


def test_a_read_that_a_function_tells_of_counts() -> None:
    cache = FragmentCache(MemoryStore())
    source = "{% cache 60, 'n' %}{{ read() }}{% endcache %}"
    template = environment({"page.html": source}, cache).get_template("page.html")

    def read() -> str:
        note_read("theme", "dark")
        return "dark"

    assert template.render(read=read) == "dark"
    assert cache.stats().stored == 0


def test_an_error_names_the_value_that_is_refused() -> None:
    error = KeyValueError("A key value is wrong.")
    found = explained(error, AUTO_SITE, ["x", "a", 1, "b.c", object()])
    assert str(found).startswith(
        'b.c, which vary_on="auto" makes a key value, is known'
    )
    assert explained(error, AUTO_SITE, [object(), "a", 1]) is error
    assert explained(error, ("page", 1, "", "", "|||", ""), [1, object()]) is error


@pytest.mark.parametrize("first", [{}, {"tenant": "Ann"}])
def test_a_variable_that_only_some_requests_have_is_noted_where_it_is_missing(
    first: dict[str, str],
) -> None:
    cache = FragmentCache(MemoryStore())
    source = tag("'n'", "{{ tenant|default('none') }}")
    template = environment({"page.html": source}, cache).get_template("page.html")
    template.render(**first)
    assert template.render() == "none"
    assert template.render(tenant="Bob") == "Bob"
    assert cache.stats().stored == 0


def test_a_key_with_a_default_covers_a_variable_that_is_missing() -> None:
    cache = FragmentCache(MemoryStore())
    source = tag("'n', tenant|default('')", "{{ tenant|default('none') }}")
    template = environment({"page.html": source}, cache).get_template("page.html")
    assert [template.render(), template.render(tenant="Bob")] == ["none", "Bob"]
    assert cache.stats().stored == 2


@pytest.mark.parametrize(
    "body",
    [
        "{% for tenant in [1] %}{{ tenant }}{% endfor %}",
        "{% with tenant = 1 %}{{ tenant }}{% endwith %}",
        "{% set tenant = 1 %}{{ tenant }}",
        "{% macro m(tenant) %}{{ tenant }}{% endmacro %}{{ m(1) }}",
    ],
)
def test_a_name_that_the_template_gives_a_value_is_not_missing(body: str) -> None:
    cache = FragmentCache(MemoryStore())
    source = tag("'n'", body)
    template = environment({"page.html": source}, cache).get_template("page.html")
    assert [template.render(), template.render()] == ["1", "1"]
    assert cache.stats().stored == 1
