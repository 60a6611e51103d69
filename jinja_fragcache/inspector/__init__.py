"""Pages that show what a cache does: figures by name, entries, the store, settings.

`wsgi_app` and `asgi_app` are mounted in applications of any framework. Those of Flask
have the pages at `/_fragcache/` in debug mode. `wsgi_overlay` and `asgi_overlay` wrap
an application, whose own pages show boxes around their fragments then.
"""

from .asgi import asgi_app as asgi_app
from .asgi_overlay import asgi_overlay as asgi_overlay
from .wsgi import wsgi_app as wsgi_app
from .wsgi_overlay import wsgi_overlay as wsgi_overlay
