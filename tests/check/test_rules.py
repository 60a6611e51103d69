from collections.abc import Callable
from email.message import Message
from importlib.metadata import PackageNotFoundError

import pytest

from jinja_fragcache.check import rules
from jinja_fragcache.check.rules import RULES

URLS = ["Source, https://a.test", "Documentation, https://fragcache.test/docs/"]


@pytest.fixture(autouse=True)
def fresh() -> None:
    rules._documentation.cache_clear()


def installed(urls: list[str]) -> Callable[[str], Message]:
    made = Message()
    for url in urls:
        made["Project-URL"] = url
    return lambda _: made


def missing(name: str) -> Message:
    raise PackageNotFoundError(name)


def test_a_rule_names_its_page_by_the_urls_of_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "metadata", installed(URLS))
    page = "https://fragcache.test/docs/check.md#fc001"
    assert (RULES["FC001"].page, RULES["FC001"].more) == (page, f"See {page}")


@pytest.mark.parametrize("metadata", [installed([]), installed(URLS[:1]), missing])
def test_without_such_a_url_there_is_its_text(
    monkeypatch: pytest.MonkeyPatch, metadata: Callable[[str], Message]
) -> None:
    monkeypatch.setattr(rules, "metadata", metadata)
    assert RULES["FC001"].page is None
    assert RULES["FC001"].more == RULES["FC001"].text
