"""The classes of requests that templates have as a variable, by module and name.

They are compared by these, so that no framework has to be imported.
"""

AIOHTTP = ("aiohttp.web_request", "BaseRequest")
DJANGO = ("django.http.request", "HttpRequest")
LITESTAR = ("litestar.connection.base", "ASGIConnection")
SANIC = ("sanic.request.types", "Request")
STARLETTE = ("starlette.requests", "HTTPConnection")
#: All of them.
CLASSES = frozenset({AIOHTTP, DJANGO, LITESTAR, SANIC, STARLETTE})
