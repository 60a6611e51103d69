"""Looks up and makes the rows of a list, with one round trip for all.

Of the rows that are missing, those that nobody else makes are made in order and stored
together. Only then does the caller wait for those that others make, one by one, as for
any fragment. So two callers with the same rows in different orders never wait for each
other.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from jinja2.utils import internalcode

from jinja_fragcache.entries.values import MISSING
from jinja_fragcache.operations import Operation

from . import claims
from .context import Context
from .dependencies import current_trial
from .flow import Flow, bypass, join, renew_missed
from .lead import Lead, Render
from .leader import lead
from .lookup import NOTHING, Found, find
from .reporting import reported_together, start
from .singleflight import Flight
from .spec import FragmentSpec
from .verify import is_chosen, verify


@dataclass(slots=True)
class Row:
    """A row of a list.

    Attributes:
        item: The item of the loop.
        spec: What is asked for; None for a row that has a flow, or has its value.
        flow: Renders a row that is not cached, or is to be verified; None for others.
        found: What the look-up found; None before it, and for a row without a spec.
        value: The text to print; MISSING until it is known.
    """

    item: Any
    spec: FragmentSpec | None = None
    flow: Flow | None = None
    found: Found | None = None
    value: Any = MISSING


def find_rows(
    rows: Sequence[Row], context: Context, stored: Sequence[object] | None = None
) -> Operation[None]:
    """Look rows up. The fresh ones get their value, and count as served.

    Args:
        rows: The rows.
        context: The cache.
        stored: What the store returned for each row that has a spec; None if it was not
            asked yet.
    """
    asked = [(row, row.spec) for row in rows if row.spec is not None]
    if not asked:
        return
    if current_trial() is not None:
        for row, _ in asked:
            row.spec, row.flow = None, bypass
        return
    found = yield from find([spec for _, spec in asked], context, stored)
    for (row, spec), each in zip(asked, found, strict=True):
        row.found = each
        if each is NOTHING or not each.is_fresh:
            continue
        if is_chosen(spec, context):
            row.spec, row.flow = None, partial(verify, spec, each)
        else:
            row.value = each.value


@internalcode
def renew_rows(
    rows: Sequence[Row], context: Context, render: Callable[[int], Any]
) -> Operation[list[Any]]:
    """Return the values of rows, of which some have to be made.

    Args:
        rows: The rows.
        context: The cache.
        render: Renders the row whose number it is given, from 0.
    """
    missing = _Missing(rows, context, render)
    with ExitStack() as stack:
        missing.join(stack)
        leading = lead(missing.leads, context, steps=missing.steps)
        drafts = [each.draft for each in missing.leads if each.draft is not None]
        yield from reported_together(drafts, leading) if drafts else leading
    yield from missing.wait_for_others()
    return [row.value for row in rows]


class _Uncached:
    """A row that is not cached, or is verified, as a step between the leads."""

    def __init__(self, row: Row, render: Render) -> None:
        self._row = row
        self._render = render

    @internalcode
    def take(self, context: Context, *, leaves_taken: bool) -> Operation[None]:
        """Like `Step.take`."""
        if self._row.flow is not None:
            self._row.value = yield from self._row.flow(context, self._render)


class _Missing:
    """The rows of one list that have no value yet."""

    def __init__(
        self, rows: Sequence[Row], context: Context, render: Callable[[int], Any]
    ) -> None:
        self._context = context
        self._deadline = claims.deadline(context)
        self._rows = [
            (row, partial(render, number))
            for number, row in enumerate(rows)
            if row.value is MISSING
        ]
        self.leads: list[Lead] = []
        self.steps: list[Lead | _Uncached] = []
        # For each row that another caller makes, its flight, and the turn in which it
        # was joined.
        self._joined: dict[int, tuple[Flight, int]] = {}
        self._led: dict[int, Lead] = {}

    def join(self, stack: ExitStack) -> None:
        """Lead the flights of rows that nobody else in this process makes."""
        self._context.recorder.miss(
            *[
                row.spec.key
                for row, _ in self._rows
                if row.spec and row.found and not row.found.standing.served
            ]
        )
        for number, (row, render) in enumerate(self._rows):
            spec, found = row.spec, row.found
            if spec is None or found is None:
                self.steps.append(_Uncached(row, render))
                continue
            has_stale = found.standing.served
            flight, is_leader = self._context.flights.join(
                spec.key, has_stale=has_stale
            )
            if not is_leader:
                self._joined[number] = flight, flight.turn
                continue
            # Nobody listens, mostly, and each row comes here.
            listens = self._context.recorder.audience is not None
            draft = start(spec, found, self._context) if listens else None
            observed: Render = render
            if draft is not None:
                observed = draft.observed(render, blocking=self._context.blocking)
            mine = Lead(stack.enter_context(flight), spec, found, observed, draft)
            self._led[number] = mine
            self.leads.append(mine)
            self.steps.append(mine)

    @internalcode
    def wait_for_others(self) -> Operation[None]:
        """Serve the rows that others make, and make those that they don't."""
        for number, (row, render) in enumerate(self._rows):
            if number in self._led:
                row.value = self._led[number].value
            spec, found = row.spec, row.found
            if row.value is not MISSING or spec is None or found is None:
                continue
            last: Flight | None = None
            if number in self._joined:
                last = self._joined[number][0]
                there = yield from self._join(number, spec, found)
                if there is not None:
                    row.value = there.value
                    continue
            row.value = yield from renew_missed(
                spec, found, self._context, render, self._deadline, last
            )

    def _join(
        self, number: int, spec: FragmentSpec, found: Found
    ) -> Operation[Found | None]:
        """Return what another caller has made of a row, None if that is nothing."""
        context = self._context
        draft = start(spec, found, context)
        joining = join(*self._joined[number], spec, found, context, self._deadline)
        if draft is None:
            return (yield from joining)
        there: Found | None = yield from draft.measured(joining)
        if there is not None:
            draft.served(there)
            draft.send()
        return there
