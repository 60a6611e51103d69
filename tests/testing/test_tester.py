from collections.abc import Iterator

import pytest

from jinja_fragcache import KeyValueError
from jinja_fragcache.testing import CacheTester, isolated
from tests.support import environment

SOURCE = (
    '{% cache 300, "row", id, tags=["rows"] %}{{ id }}{% endcache %}'
    '{% cache 60, "foot" %}foot{% endcache %}'
    '{% cache 300, "off", unless=true %}{% endcache %}'
)
ENV = environment(
    {
        "a.html": SOURCE,
        "list.html": '{% cache_each id in ids, 300, "item", id %}{{ id }}'
        "{% endcache_each %}",
        "nested.html": '{% cache 300, "outer" %}{% cache 300, "row", id %}'
        "{% endcache %}{% endcache %}",
        "deleted.html": "{% cache 'del', 'foot' %}{% endcache %}"
        "{% cache 'del', 'row', id %}{% endcache %}",
    }
)


@pytest.fixture
def tester() -> Iterator[CacheTester]:
    with isolated(ENV) as tester:
        yield tester


def render(id_: object = 7, name: str = "a.html") -> str:
    return ENV.get_template(name).render(id=id_)


def render_all(ids: list[int]) -> None:
    for each in ids:
        render(each)


def test_a_stored_fragment_is_cached_and_its_text_is_returned(
    tester: CacheTester,
) -> None:
    render()
    assert tester.assert_cached("row", 7) == "7"
    assert tester.assert_cached("row", "7") == "7"
    with pytest.raises(AssertionError, match=r"^row\[7\] is cached.*a\.html.* '7'\.$"):
        tester.assert_not_cached("row", 7)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            ("row", 8),
            (
                r"row\[8\] is not cached: there is no entry\.\n"
                r"Stored under this name:\n  row\[7\] \(a\.html, line 1\)\n"
                r"Write assert_cached\('row', 7\)\."
            ),
        ),
        (("fooot",), r"Stored under other names:(.|\n)*Did you mean foot\?"),
        (("off",), "off is not cached: there is no entry"),
    ],
)
def test_what_is_not_stored_is_told_with_what_is(
    tester: CacheTester, asked: tuple[str, object], told: str
) -> None:
    render()
    with pytest.raises(AssertionError, match=told):
        tester.assert_cached(*asked)
    tester.assert_not_cached(*asked)


def test_a_name_that_is_listed_in_another_way_is_told() -> None:
    env = environment({"a": '{% cache 300, "search box", id %}{% endcache %}'})
    with isolated(env) as tester:
        env.get_template("a").render(id="q")
        tester.assert_cached("search box", "q")
        with pytest.raises(AssertionError) as raised:
            tester.assert_cached("search_box", "q")
    told = str(raised.value)
    assert "Write assert_cached" not in told
    assert told.endswith("Write the name as it stands in the tag.")


def test_an_entry_with_other_values_of_the_cache_is_told() -> None:
    lang = ["en"]
    with isolated(ENV, vary_on=lambda: lang) as tester:
        render()
        lang[0] = "de"
        with pytest.raises(AssertionError, match="returned other values than now"):
            tester.assert_cached("row", 7)


def test_an_empty_cache_says_what_to_do(tester: CacheTester) -> None:
    with pytest.raises(
        AssertionError, match=r"No fragment is stored\. .*Render a page first"
    ):
        tester.assert_cached("foot")


def test_the_clock_ends_timeouts(tester: CacheTester) -> None:
    render()
    tester.move(59)
    tester.assert_cached("foot")
    tester.move(1)
    tester.assert_not_cached("foot")
    tester.assert_cached("row", 7)
    with pytest.raises(AssertionError, match="or its timeout ended"):
        tester.assert_cached("foot")


def test_an_invalidated_entry_is_not_cached(tester: CacheTester) -> None:
    render()
    tester.cache.invalidate_tags("rows")
    with pytest.raises(AssertionError, match="its tag 'rows' was invalidated"):
        tester.assert_cached("row", 7)
    tester.assert_not_cached("row", 7)


def test_a_kept_entry_whose_timeout_ended_is_not_cached() -> None:
    with isolated(ENV, stale=600) as tester:
        render()
        tester.move(70)
        with pytest.raises(AssertionError, match="its timeout ended 10 seconds ago"):
            tester.assert_cached("foot")


@pytest.mark.parametrize(
    ("times", "name", "renders"),
    [
        (3, None, [7]),
        (4, None, [7, 7]),
        (5, None, [7, 8]),
        (2, "row", [7, 8, 7]),
        (1, "foot", [7, 8, 7]),
        (0, "nothing", [7]),
    ],
)
def test_bodies_are_counted_by_name(
    tester: CacheTester, times: int, name: str | None, renders: list[int]
) -> None:
    with tester.assert_renders(times, name):
        render_all(renders)
    tester.cache.clear()
    with (
        pytest.raises(AssertionError, match=f"^Expected {times + 1} "),
        tester.assert_renders(times + 1, name),
    ):
        render_all(renders)


def test_too_many_bodies_are_listed_with_their_places(tester: CacheTester) -> None:
    with pytest.raises(AssertionError) as raised, tester.assert_renders(1, "row"):
        render_all([7, 8])
    assert str(raised.value).splitlines() == [
        "Expected 1 body of 'row' to be rendered, and there were 2.",
        "Rendered:",
        "  row[7] (a.html, line 1)",
        "  foot (a.html, line 1)",
        "  a fragment that is rendered without the store",
        "  row[8] (a.html, line 1)",
        "  a fragment that is rendered without the store",
        "Stored now:",
        "  row[7] (a.html, line 1)",
        "  foot (a.html, line 1)",
        "  row[8] (a.html, line 1)",
    ]


def test_bodies_of_deleted_fragments_are_listed_by_their_names(
    tester: CacheTester,
) -> None:
    with pytest.raises(AssertionError) as raised, tester.assert_renders(0):
        render(7, "deleted.html")
    foot, row = str(raised.value).splitlines()[2:4]
    assert (foot, row) == ("  foot", "  row[...]")


def test_rows_of_lists_are_counted_one_by_one(tester: CacheTester) -> None:
    template = ENV.get_template("list.html")
    with tester.assert_renders(3, "item"):
        template.render(ids=[1, 2])
        template.render(ids=[1, 2, 3])
    tester.assert_cached("item", 3)


def test_fragments_in_others_are_counted(tester: CacheTester) -> None:
    with tester.assert_renders(1, "outer"), tester.assert_renders(1, "row"):
        render(7, "nested.html")
        render(7, "nested.html")


def test_a_body_that_fails_is_counted_and_its_error_stays(tester: CacheTester) -> None:
    broken = environment({"a": '{% cache 3, "x" %}{{ 1 // 0 }}{% endcache %}'})
    with isolated(broken) as failing:
        with pytest.raises(ZeroDivisionError), failing.assert_renders(5):
            broken.get_template("a").render()
        with failing.assert_renders(1), pytest.raises(ZeroDivisionError):
            broken.get_template("a").render()
    with tester.assert_renders(0):
        pass


def test_wrong_calls_are_told(tester: CacheTester) -> None:
    with pytest.raises(TypeError, match=r"Write assert_renders\(1, \"sidebar\"\)"):
        tester.assert_renders("row")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="can't be moved back"):
        tester.move(-1)
    with pytest.raises(ValueError, match="can't be moved back"):
        tester.move(float("nan"))
    with pytest.raises(TypeError, match=r"got '5'\. Write move\(300\)"):
        tester.move("5")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Write assert_renders\(0\)"):
        tester.assert_renders(-1)
    with pytest.raises(KeyValueError):
        tester.assert_cached("row", object())
