"""Stores: where entries are kept."""

from .base import Store as Store
from .base import Timed as Timed
from .files import FileStore as FileStore
from .memcached import MemcachedStore as MemcachedStore
from .memcached_spread import SpreadMemcachedStore as SpreadMemcachedStore
from .memory import MemoryStore as MemoryStore
from .redis import RedisStore as RedisStore
from .redis_cluster import RedisClusterStore as RedisClusterStore
from .redis_sentinel import RedisSentinelStore as RedisSentinelStore
from .text import TextSerializer as TextSerializer
from .uwsgi import UWSGIStore as UWSGIStore
