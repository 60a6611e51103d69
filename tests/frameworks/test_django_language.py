"""That the current language is read is noted."""

from collections.abc import Callable, Iterator

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpResponse
from django.test import override_settings
from django.urls import clear_url_caches, path, reverse
from django.utils import translation

from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.frameworks.django_language import (
    current_language,
    note_language,
    watch_language,
)
from tests.support import configure_django

configure_django()


class Plain:
    """A module of URLs."""

    urlpatterns = [path("a", HttpResponse, name="view")]  # noqa: RUF012 - as in Django


class Prefixed:
    """One with the language in front of each URL."""

    urlpatterns = i18n_patterns(*Plain.urlpatterns)


@pytest.fixture(autouse=True)
def german() -> Iterator[None]:
    watch_language()
    with translation.override("de"):
        yield
    clear_url_caches()


@pytest.mark.parametrize(
    "read",
    [
        translation.get_language,
        translation.get_language_bidi,
        lambda: translation.gettext("Yes"),
        lambda: translation.ngettext("day", "days", 2),
        lambda: translation.pgettext("a", "Yes"),
        lambda: str(translation.gettext_lazy("Yes")),
        note_language,
    ],
)
def test_the_language_is_noted_and_kept(read: Callable[[], object]) -> None:
    watch_language()
    with Dependencies() as body:
        read()
    (noted,) = body.reads.values()
    assert (noted.name, noted.kept) == ("language", "de")


def test_outside_of_bodies_all_is_as_before() -> None:
    assert translation.get_language() == current_language() == "de"
    assert translation.gettext("Yes") == "Ja"


def test_a_language_that_requests_choose_is_not_kept() -> None:
    middleware = ["django.middleware.locale.LocaleMiddleware"]
    with override_settings(MIDDLEWARE=middleware), Dependencies() as body:
        translation.get_language()
    assert body.reads["language"].kept is None


@pytest.mark.parametrize(("urls", "noted"), [(Plain, set()), (Prefixed, {"language"})])
def test_urls_read_the_language_if_they_begin_with_it(
    urls: type, noted: set[str]
) -> None:
    for _ in range(2):
        with override_settings(ROOT_URLCONF=urls), Dependencies() as body:
            reverse("view")
        assert body.reads.keys() == noted
