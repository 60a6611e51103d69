"""Pages that show what a cache does: figures by name, entries, the store, settings.

`wsgi_app` and `asgi_app` are mounted in applications of any framework. Those of Flask
have the pages at `/_fragcache/` in debug mode.
"""

from .asgi import asgi_app as asgi_app
from .wsgi import wsgi_app as wsgi_app
