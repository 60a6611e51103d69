"""The pages of the site."""

from typing import Any

from wagtail.admin.panels import FieldPanel
from wagtail.blocks import CharBlock
from wagtail.fields import StreamField
from wagtail.models import Page


class QuotesPage(Page):  # type: ignore[misc]
    """A page of quotes, whose template has its name."""

    body = StreamField([("quote", CharBlock(template="quote.html"))])

    content_panels = (*Page.content_panels, FieldPanel("body"))

    def get_template(self, request: Any, *_: Any, **__: Any) -> str:
        return f"{self.slug}.html"
