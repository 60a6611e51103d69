"""The rules of a cache without settings, as the page with the settings shows them."""

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.policy import Policy

from .masking import ShownSetting, show_setting


def shown_rules(cache: FragmentCache) -> list[ShownSetting]:
    """Return the rules in force, by the names of the arguments of `FragmentCache`."""
    defaults = Policy._field_defaults
    return [
        show_setting(name, value, defaults[name])
        for name, value in cache.policy._asdict().items()
    ]
