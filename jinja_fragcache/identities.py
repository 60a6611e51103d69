"""Attributes that tell which one of many objects an object is.

The guard and the check have the same list. An attribute belongs here only if no two
objects of a kind have the same value of it, in nearly all applications: users share a
`team_id`, and often an `email`, which Django lets be empty.
"""

from __future__ import annotations

#: Attributes of rows. Forms and other things of which there is one don't have them.
OF_ROWS = frozenset({"id", "pk", "uuid", "guid", "slug", "get_id"})
#: These, and the attributes of users.
IDENTITIES = OF_ROWS | {"auth_id", "identity", "username"}


def names_object(attribute: str, name: str) -> bool:
    """Return whether an attribute tells which object something is.

    Args:
        attribute: The name of the attribute, such as `id`.
        name: The name of the object: `user_id` is the id of a `user`, and of a
            `current_user`, and tells of no other object which one it is.
    """
    return attribute in IDENTITIES or attribute == f"{name.removeprefix('current_')}_id"
