"""What happens to a list of fragments that is asked for: one round trip for all.

Rows that are missed are made by this caller as far as nobody else makes them, in their
order, and are stored together. Then it is waited for those that others make, one by
one, as for any other fragment.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

from jinja2.utils import internalcode

from jinja_fragcache.access.runner import Operation
from jinja_fragcache.access.safe_store import Claim, Guard
from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.timeouts import NEVER_EXPIRES

from .flow import Flow, hit, hit_stale, renew_missed, wait_for
from .leader import Leader, Made, Render
from .lookup import Found, FragmentRequest, look_up_many
from .tags import present_versions


class Row(NamedTuple):
    """A row of a list.

    Attributes:
        item: what it is made of.
        request: what is asked for; None for a row that is not cached.
        flow: what is done with one that is not.
        found: what was found of it.
    """

    item: Any
    request: FragmentRequest | None = None
    flow: Flow | None = None
    found: Found | None = None


def find_many(
    rows: Sequence[Row], guard: Guard, stored: Sequence[object] | None = None
) -> Operation[list[Row]]:
    """Look for rows. Those that are fresh count as served.

    Args:
        rows: the rows.
        guard: the store.
        stored: what it gave for them, if it was asked already.
    """
    requests = [row.request for row in rows if row.request is not None]
    looked_up: list[Found] = []
    if requests:
        looked_up = yield from look_up_many(requests, guard, stored)
    found = iter(looked_up)
    seen = []
    for row in rows:
        if row.request is not None:
            there = yield from hit(row.request, guard, next(found))
            row = row._replace(found=there)  # noqa: PLW2901 - the same row
        seen.append(row)
    return seen


@internalcode
def renew_many(
    rows: Sequence[Row], guard: Guard, render: Render
) -> Operation[list[Any]]:
    """Give the values of rows, of which some have to be made."""
    renewal = _Renewal(rows, guard, render)
    with ExitStack() as stack:
        renewal.join(stack)
        yield from renewal.make_mine()
    return (yield from renewal.wait_for_others())


class _Renewal:
    """Makes the rows of one list that are not fresh."""

    def __init__(self, rows: Sequence[Row], guard: Guard, render: Render) -> None:
        self._rows = rows
        self._guard = guard
        self._render = render
        self._deadline = guard.deadline()
        self._values: list[Any] = [MISSING] * len(rows)
        # By the number of the row.
        self._leaders: dict[int, Leader] = {}
        # Their flights, and the turn in which each was joined.
        self._joined: dict[int, tuple[Any, int]] = {}
        self._made: dict[int, Made] = {}
        self._claims: Mapping[str, Claim] = {}
        self._claimed_at = 0.0

    def join(self, stack: ExitStack) -> None:
        """Become the one who makes rows, where nobody else in this process does."""
        flights = self._guard.flights
        for number, row in enumerate(self._rows):
            request, found = row.request, row.found
            if not request or not found:
                continue
            if found.is_fresh:
                self._values[number] = found.value
                continue
            if not found.standing.served:
                self._guard.count_miss(request.key)
            flight, is_leader = flights.join(
                request.key, has_stale=found.standing.served
            )
            if not is_leader:
                self._joined[number] = flight, flight.turn
                continue
            render = partial(self._render, number)
            leader = Leader(flight, request, self._guard, render)
            leader.landing = stack.enter_context(flights.led(request.key, flight))
            self._leaders[number] = leader

    @internalcode
    def make_mine(self) -> Operation[None]:
        """Make the rows that nobody else makes, and store them together.

        Where one fails, those before it are stored.
        """
        try:
            there = yield from self._look_again()
            yield from self._make_in_order(there)
        except GeneratorExit:
            # Nothing can be awaited any more. The locks end by themselves.
            raise
        except BaseException:
            yield from self._store()
            raise
        yield from self._store()

    def _look_again(self) -> Operation[dict[int, Found]]:
        """Take the locks of rows, and see what was stored meanwhile."""
        guard = self._guard
        keys = list(dict.fromkeys(each.key for each in self._leaders.values()))
        if not keys:
            return {}
        self._claimed_at = guard.timer()
        self._claims = yield from guard.claim_many(keys)
        found = {number: self._rows[number].found for number in self._leaders}
        if guard.has_locks or any(map(guard.flights.kept_lately, keys)):
            for leader in self._leaders.values():
                leader.flight.turn += 1
            requests = [leader.request for leader in self._leaders.values()]
            looked_up = yield from look_up_many(requests, guard)
            found = dict(zip(self._leaders, looked_up, strict=True))
        there = {number: each for number, each in found.items() if each is not None}
        yield from self._give_versions(there)
        return there

    def _give_versions(self, there: dict[int, Found]) -> Operation[None]:
        """Give tags that have no version one, all at once."""
        missing = {
            tag: None
            for number, found in there.items()
            for tag in self._leaders[number].request.tags
            if found.versions.get(tag) is None
        }
        if not missing:
            return
        seconds = {self._leaders[number].longest() for number in there}
        longest: int | None = NEVER_EXPIRES
        if NEVER_EXPIRES not in seconds:
            longest = None if None in seconds else max(filter(None, seconds))
        versions = yield from present_versions(self._guard, missing, longest)
        for number, found in there.items():
            tags = self._leaders[number].request.tags
            new = {
                tag: version for tag, version in (versions or {}).items() if tag in tags
            }
            there[number] = found._replace(versions={**found.versions, **new})

    @internalcode
    def _make_in_order(self, there: Mapping[int, Found]) -> Operation[None]:
        guard = self._guard
        for number, row in enumerate(self._rows):
            leader = self._leaders.get(number)
            if row.flow is not None:
                flow = row.flow(guard, partial(self._render, number))
                self._values[number] = yield from flow
            if leader is None or row.found is None:
                continue
            claim = self._claims[leader.key]
            served = yield from leader.serve(row.found, there[number], claim)
            if served is not None:
                self._values[number] = served.value
            elif not claim.is_taken:
                made = yield from leader.make(there[number])
                self._made[number] = made
                self._values[number] = made.value

    def _store(self) -> Operation[None]:
        """Store what was made, and let go the locks of the rest."""
        guard = self._guard
        values = {}
        # What was deleted before it could be written is left alone, as by one leader.
        made_to_store = []
        for number, made in self._made.items():
            leader = self._leaders[number]
            claim = self._claims[leader.key]
            if made.stored is None or leader.flight.is_spoiled():
                continue
            made_to_store.append((leader, made))
            leader.flight.turn += 1
            if claim.may_store:
                values[leader.key] = made.stored, made.timeout
        stored: list[str] = []
        if values:
            claim = self._claims[next(iter(values))]
            stored = yield from guard.write_claimed_many(values, claim)
        yield from guard.release_many(
            {key: each for key, each in self._claims.items() if key not in stored}
        )
        # The locks were taken for all of them.
        seconds = guard.timer() - self._claimed_at
        lost = [key for key in values if key not in stored]
        if lost and self._claims[lost[0]].has_ended(seconds):
            guard.lock_ended(lost, seconds)
        for leader, made in made_to_store:
            claim = self._claims[leader.key]
            yield from leader.end(made, claim, stored=leader.key in stored)

    @internalcode
    def wait_for_others(self) -> Operation[list[Any]]:
        """Give all values, those among them that others have made."""
        guard = self._guard
        for number, row in enumerate(self._rows):
            request, found = row.request, row.found
            if self._values[number] is not MISSING or not request or not found:
                continue
            there = None
            if number in self._joined:
                flight, turn = self._joined[number]
                if found.standing.served:
                    yield from hit_stale(request, found, guard)
                    there = found
                else:
                    there = yield from wait_for(
                        flight, turn, request, guard, self._deadline
                    )
            if there is not None:
                self._values[number] = there.value
            else:
                render = partial(self._render, number)
                self._values[number] = yield from renew_missed(
                    request, found, guard, render, self._deadline
                )
        return self._values
