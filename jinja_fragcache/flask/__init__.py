"""The Flask extension. It needs Flask: pip install 'jinja-fragcache[flask]'."""

from jinja_fragcache.keys.fragment import (
    make_template_fragment_key as make_template_fragment_key,
)

from .cache import Cache as Cache
from .responses import CachedResponse as CachedResponse
from .signals import cache_delete as cache_delete
from .signals import cache_error as cache_error
from .signals import cache_hit as cache_hit
from .signals import cache_memoize_hit as cache_memoize_hit
from .signals import cache_memoize_miss as cache_memoize_miss
from .signals import cache_miss as cache_miss
from .signals import cache_set as cache_set
from .signals import cache_view_hit as cache_view_hit
from .signals import cache_view_miss as cache_view_miss
