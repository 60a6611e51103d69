"""The Flask extension. Needs Flask, which is an extra of this package."""

from .cache import Cache as Cache
