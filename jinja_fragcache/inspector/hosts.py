"""Which names of a host mean this machine.

A page of somebody else's can have a host name that leads to 127.0.0.1. What its script
asks for goes to the server on this machine then, and the script may read the answer
("DNS rebinding"). The `Host` header has that other name.
"""

import re
from ipaddress import ip_address

_HOST = re.compile(r"(?:\[([^]]*)\]|([^:]*))(?::\d*)?")


def is_local(host: str) -> bool:
    """Return whether a `Host` header names this machine.

    Args:
        host: The header, with or without a port.
    """
    found = _HOST.fullmatch(host.strip().lower())
    if found is None:
        return False
    name = (found[1] or found[2] or "").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
