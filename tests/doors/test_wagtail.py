"""`doors.wagtail`, with middleware of Django's and in a site of Wagtail."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jinja_fragcache.doors.wagtail import is_preview, preview_middleware

ROOT = Path(__file__).parents[2]
VALUES = "{% for block in page.body %}{{ block.value }}{% endfor %}"
# By the page of the same name, and by the block of one of them.
TEMPLATES = {
    # As Wagtail's own tags do in Django's template language.
    "in-tag": "{% cache 300, 'in-tag', page.cache_key, unless=request.is_preview %}"
    + VALUES
    + "{% endcache %}",
    "in-body": "{% cache 300, 'in-body', page.cache_key %}" + VALUES + "{% endcache %}",
    # There is no request in the template of a block that is printed.
    "in-block": "{% for block in page.body %}{{ block }}{% endfor %}",
    "quote": "{% cache 300, 'quote' %}{{ value }}{% endcache %}",
}
RIGHT = ["first", "live", "second", "draft", "live"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Provide what is seen of each page of the site, with the middleware or without."""
    folder = tmp_path_factory.mktemp("templates")
    for name, source in TEMPLATES.items():
        (folder / f"{name}.html").write_text(source)
    run = subprocess.run(
        [sys.executable, "-m", "tests.doors.wagtail_site", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=100,
    )
    return json.loads(run.stdout)


@pytest.mark.parametrize("page", ["in-tag", "in-body", "in-block"])
def test_with_the_middleware_previews_are_neither_stored_nor_served(
    seen: Any, page: str
) -> None:
    assert seen["with"][page] == RIGHT


def test_unless_leaves_one_tag_aside_in_previews(seen: Any) -> None:
    assert seen["without"]["in-tag"] == RIGHT


def test_the_guard_keeps_previews_out_of_the_store_without_either(seen: Any) -> None:
    assert seen["without"]["in-body"] == ["first", "live", "live", "live", "live"]


def request_of(**more: Any) -> Any:
    return SimpleNamespace(**more)


def test_a_preview_inside_the_request_of_the_admin_is_one_until_it_ends() -> None:
    told = []

    def show(request: Any) -> str:
        request.is_preview = True  # As Wagtail does, behind all middleware.
        told.append(is_preview())
        return "preview"

    def admin(request: Any) -> str:
        told.append(is_preview())
        text: str = preview_middleware(show)(request_of())
        told.append(is_preview())
        return text

    assert preview_middleware(admin)(request_of()) == "preview"
    assert told == [False, True, False]
    assert not is_preview()


def test_requests_on_an_event_loop_are_told_apart() -> None:
    async def ask() -> list[bool]:
        barrier = asyncio.Barrier(2)

        async def show(request: Any) -> bool:
            await barrier.wait()
            return is_preview()

        view = preview_middleware(show)
        asked = [view(request_of(is_preview=each)) for each in (True, False)]
        return list(await asyncio.gather(*asked))

    assert asyncio.run(ask()) == [True, False]


def test_a_view_that_raises_leaves_no_request_behind() -> None:
    def fail(request: Any) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        preview_middleware(fail)(request_of(is_preview=True))
    assert not is_preview()
