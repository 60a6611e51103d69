"""Tests of what a traceback shows of a mistake in a template."""

import asyncio
import traceback
from functools import partial
from pathlib import Path

import pytest

import jinja_fragcache
from jinja_fragcache import FragmentCache, FragmentCacheError, note_read
from tests.support import environment

PACKAGE = str(Path(jinja_fragcache.__file__).parent)
BODY = "\n{{ note() }}{% endcache %}"
MISTAKES = [
    '{% cache 300, "a" %}' + BODY,
    '{% cache 300, "a", stale=5 %}' + BODY,
    '{% cache 300, "b" %}{% cache 20, "a" %}' + BODY + "{% endcache %}",
    '{% cache 300, "a", thing %}{% endcache %}',
    '{% cache 300, "a", thing, 2 %}{% endcache %}',
    "{% cache 300, thing %}{% endcache %}",
    '{% cache 300, "a", vary_on="auto" %}{{ thing }}{% endcache %}',
    '{% cache thing, "a" %}{% endcache %}',
    '{% cache 300, "a", tags=thing %}{% endcache %}',
    '{% cache 300, "a", stale=thing %}{% endcache %}',
    '{% cache 300, "a" %}{{ cache_tag(5) }}{% endcache %}',
    '{% cache_each i in [1], 300, "a", thing %}{% endcache_each %}',
    '{% cache_each i in [1], 300, "a", i %}{{ note() }}{% endcache_each %}',
]


def frames(
    source: str, error: type[Exception], *, is_async: bool, **values: object
) -> list[tuple[str, bool]]:
    """Return the files in the traceback of an error, each with whether it is ours.

    Those before the template are left out.
    """
    cache = FragmentCache(strict=True)
    page = environment({"page": source}, cache, enable_async=is_async).get_template(
        "page"
    )
    values |= {"thing": object(), "note": partial(note_read, "tenant", "x")}
    with pytest.raises(error) as raised:
        asyncio.run(page.render_async(values)) if is_async else page.render(values)
    files = [each.filename for each in traceback.extract_tb(raised.tb)]
    behind = files[files.index("<template>" if "<template>" in files else "page") :]
    return [(each, each.startswith(PACKAGE)) for each in behind]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("source", MISTAKES)
def test_behind_a_mistake_in_a_template_no_file_of_ours_is_shown(
    source: str, is_async: bool
) -> None:
    shown = frames(source, FragmentCacheError, is_async=is_async)
    assert not any(is_ours for _, is_ours in shown), shown


@pytest.mark.parametrize("is_async", [False, True])
def test_behind_a_list_that_is_none_no_file_of_ours_is_shown(is_async: bool) -> None:
    source = '{% cache_each i in 5, 300, "a", i %}{% endcache_each %}'
    shown = frames(source, TypeError, is_async=is_async)
    assert not any(is_ours for _, is_ours in shown), shown


@pytest.mark.parametrize("is_async", [False, True])
def test_a_fault_of_ours_shows_where_it_is(
    is_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "jinja_fragcache.render.lookup.asked_of", lambda *_: 1 / 0, raising=True
    )
    source = '{% cache 300, "a" %}{% endcache %}'
    shown = frames(source, ZeroDivisionError, is_async=is_async)
    assert any(is_ours for _, is_ours in shown)


def test_the_reason_of_a_mistake_stays() -> None:
    page = environment(
        {"page": '{% cache 300, "a" %}{{ fail() }}{% endcache %}'}
    ).get_template("page")

    def fail() -> None:
        raise FragmentCacheError("what") from ValueError("why")

    with pytest.raises(FragmentCacheError, match="what") as raised:
        page.render(fail=fail)
    assert isinstance(raised.value.__cause__, ValueError)
    last = traceback.extract_tb(raised.tb)[-1]
    assert (last.filename, last.name) == (__file__, "fail")
