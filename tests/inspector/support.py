"""What the tests of the inspector share: a cache to look at, and browsers for it."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any
from wsgiref.types import WSGIApplication

from jinja2 import Environment
from werkzeug.test import Client, TestResponse

from jinja_fragcache import FragmentCache, FragmentCacheExtension
from jinja_fragcache.stores import Store
from tests.support import Clock

SECRET = "of all workers"
NASTY = "<script>alert('x')</script>\"&"


class Site:
    """An environment whose cache is looked at.

    Args:
        store: The store of the cache, None for a new one in memory.
        rules: More arguments of the cache.
    """

    def __init__(self, store: Store | None = None, **rules: Any) -> None:
        self.clock = Clock()
        self.cache = FragmentCache(store, clock=self.clock, **rules)
        self.env = Environment(extensions=[FragmentCacheExtension], autoescape=True)
        self.env.fragment_cache = self.cache  # type: ignore[attr-defined]

    def render(self, source: str, **values: Any) -> str:
        """Return what a template prints."""
        return self.env.from_string(source).render(values)


class Browser:
    """A browser that keeps cookies and sends forms as browsers do.

    Args:
        app: The application.
        root: The path of the inspector.
        base: The scheme and host of its address.
    """

    def __init__(
        self, app: WSGIApplication, root: str = "", base: str = "http://localhost"
    ) -> None:
        self._client = Client(app)
        self._root = root
        self._base = base

    def get(
        self, page: str = "", headers: Mapping[str, str] | None = None
    ) -> TestResponse:
        """Ask for a page."""
        path, _, query = page.partition("?")
        return self._client.get(
            f"{self._root}/{path}",
            query_string=query,
            base_url=self._base,
            headers=headers,
        )

    def post(
        self,
        action: str,
        data: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> TestResponse:
        """Send a form as it is."""
        return self._client.open(
            f"{self._root}/{action}",
            method=method,
            data=data,
            base_url=self._base,
            headers={"Origin": self._base, **(headers or {})},
        )

    def take_cookie(self, page: TestResponse) -> None:
        """Get the cookie that another browser got with a page."""
        name, _, value = page.headers["Set-Cookie"].partition(";")[0].partition("=")
        host = self._base.partition("://")[2].partition(":")[0]
        self._client.set_cookie(name, value, domain=host)

    def send(self, action: str, page: str = "", **fields: str) -> TestResponse:
        """Load a page, and send the form on it that has this action and fields."""
        for form in forms(self.get(page).text):
            if (
                form.action.endswith(f"/{action}")
                and fields.items()
                <= {
                    **form.fields,
                    **{name: fields.get(name, "") for name in form.asked},
                }.items()
            ):
                return self.post(action, {**form.fields, **fields})
        raise AssertionError(f"no form for {action} with {fields} on /{page}")


class Form:
    """A form on a page.

    Attributes:
        action: Where it leads.
        fields: Its hidden fields.
        asked: The names of the others.
    """

    def __init__(self, tag: str, inner: str) -> None:
        self.action = _attribute(tag, "action")
        inputs = re.findall(r"<input[^>]*>", inner)
        hidden = [each for each in inputs if 'type="hidden"' in each]
        self.fields = {
            _attribute(each, "name"): _attribute(each, "value") for each in hidden
        }
        self.asked = [_attribute(each, "name") for each in inputs if each not in hidden]


def forms(page: str) -> list[Form]:
    """Return all forms of a page."""
    found = re.findall(r"(<form[^>]*>)(.*?)</form>", page, re.DOTALL)
    return [Form(tag, inner) for tag, inner in found]


def form_of(page: str, action: str) -> Form:
    """Return the first form of a page that leads to an action."""
    return next(each for each in forms(page) if each.action == action)


def rows(page: TestResponse) -> list[list[str]]:
    """Return the texts in the cells of all tables, without those of their heads."""
    return [
        [text_of(cell) for cell in re.findall(r"<t[dh][ >].*?</t[dh]>", row, re.DOTALL)]
        for row in re.findall(r"<tr[ >].*?</tr>", page.text, re.DOTALL)
        if "<td" in row
    ]


def text_of(html: str) -> str:
    """Return the text in a piece of HTML."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def _attribute(tag: str, name: str) -> str:
    found = re.search(f' {name}="([^"]*)"', tag)
    return unescape(found[1]) if found else ""
