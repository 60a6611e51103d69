from markupsafe import Markup

from jinja_fragcache.render.autoescape import is_escaped


def test_only_markup_counts_as_escaped() -> None:
    assert is_escaped(Markup("text"))
    assert not is_escaped("text")
