"""A site of Wagtail, whose pages an editor previews.

    python -m tests.doors.wagtail_site TEMPLATES

Gets the folder of the pages' templates. Prints, as JSON, what a page and its previews
show, for each page with `preview_middleware` and without.
"""

import json
import sys
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.template import engines
from django.test import Client, override_settings

from jinja_fragcache import set_fragment_cache
from jinja_fragcache.doors.django import fragment_cache
from jinja_fragcache.doors.wagtail import MIDDLEWARE

PAGES = ("in-tag", "in-body", "in-block")
_OF_DJANGO = ("auth", "contenttypes", "messages", "sessions")
_OF_WAGTAIL = ("admin", "users")
_MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


class NoMigrations(dict[str, None]):
    """Says of each application that it has none, so its tables are made at once."""

    def __contains__(self, label: object) -> bool:
        return True

    def __missing__(self, label: str) -> None:
        return None


def set_up(templates: str) -> None:
    """Give Django the settings of the site, and make its tables."""
    jinja = {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [templates],
        "OPTIONS": {
            "environment": "jinja_fragcache.doors.django.environment",
            "extensions": ["wagtail.jinja2tags.core"],
        },
    }
    of_admin = {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
    }
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "tests.doors.wagtail_site",
            *(f"wagtail.{each}" for each in _OF_WAGTAIL),
            *("wagtail", "modelcluster", "taggit"),
            *(f"django.contrib.{each}" for each in _OF_DJANGO),
        ],
        MIDDLEWARE=_MIDDLEWARE,
        MIGRATION_MODULES=NoMigrations(),
        ROOT_URLCONF="tests.doors.wagtail_site.urls",
        SECRET_KEY="secret",
        STATIC_URL="/static/",
        TEMPLATES=[jinja, of_admin],
        USE_TZ=True,
        WAGTAILADMIN_BASE_URL="http://testserver",
        WAGTAIL_SITE_NAME="Shop",
    )
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)


class Site:
    """The pages, an editor who is logged in, and a visitor."""

    def __init__(self) -> None:
        # They need the applications.
        from django.contrib.auth import get_user_model  # noqa: PLC0415
        from wagtail.models import Locale, Page, Site  # noqa: PLC0415

        from .models import QuotesPage  # noqa: PLC0415

        Locale.objects.create(language_code="en")
        root = Page.add_root(title="Home", slug="home")
        Site.objects.create(hostname="testserver", root_page=root, is_default_site=True)
        self.pages = {
            slug: root.add_child(
                instance=QuotesPage(title=slug, slug=slug, body=[("quote", "live")])
            )
            for slug in PAGES
        }
        self.editor, self.visitor = Client(), Client()
        self.editor.force_login(get_user_model().objects.create_superuser("ann"))

    def visit(self, slug: str) -> str:
        """Return what a visitor sees."""
        return _text(self.visitor.get(f"/{slug}/"))

    def preview(self, slug: str, text: str) -> str:
        """Return what the editor sees of a text that is not saved."""
        from wagtail.test.utils.form_data import (  # noqa: PLC0415 - the same
            nested_form_data,
            streamfield,
        )

        form = {
            "title": slug,
            "slug": slug,
            "body": streamfield([("quote", text)]),
            "comments": {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0},
        }
        url = f"/admin/pages/{self.pages[slug].pk}/edit/preview/"
        given = self.editor.post(url, nested_form_data(form)).json()
        assert given == {"is_valid": True, "is_available": True}, given
        return _text(self.editor.get(url))

    def draft(self, slug: str, text: str) -> str:
        """Return what the editor sees of a draft that is saved."""
        page = self.pages[slug]
        page.body = [("quote", text)]
        page.save_revision()
        return _text(self.editor.get(f"/admin/pages/{page.pk}/view_draft/"))

    def seen(self, slug: str) -> list[str]:
        """Return what a page and its previews show, in turn."""
        return [
            self.preview(slug, "first"),
            self.visit(slug),
            self.preview(slug, "second"),
            self.draft(slug, "draft"),
            self.visit(slug),
        ]


def _text(response: Any) -> str:
    assert response.status_code == 200, response
    return str(response.content.decode()).strip()


def main(templates: str) -> None:
    """Print what is seen."""
    set_up(templates)
    site = Site()
    shown = {}
    for name, more in (("without", []), ("with", [MIDDLEWARE])):
        with override_settings(MIDDLEWARE=[*_MIDDLEWARE, *more]):
            cache = fragment_cache()
            cache.clear()
            set_fragment_cache(engines["jinja2"].env, cache)
            site.visitor, site.editor = _again(site.visitor), _again(site.editor)
            shown[name] = {slug: site.seen(slug) for slug in PAGES}
    print(json.dumps(shown))


def _again(client: Client) -> Client:
    """Return a client with the present middleware, and the same cookies."""
    made = Client()
    made.cookies = client.cookies
    return made


if __name__ == "__main__":
    main(sys.argv[1])
