"""`stale`: an old entry is served while one caller renders it again.

(HTTP calls this stale-while-revalidate: RFC 5861, 3.) For how long an entry may be
served so is decided by `entries.freshness.standing`, and who renders it by `flow` and
`lead`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja_fragcache.operations import Operation

from .context import Context
from .lookup import Found, note_served

if TYPE_CHECKING:
    from .entry_spec import EntrySpec


def serve_stale(spec: EntrySpec, found: Found, context: Context) -> Operation[None]:
    """Count a value that is served while another caller makes it again."""
    context.recorder.stale_hit(spec.key, expired=found.standing.expired)
    yield from note_served(spec, found, context)
