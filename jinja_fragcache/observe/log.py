"""Logs each fragment, at the level DEBUG."""

import logging

from jinja_fragcache.messages import logger, shown_value

from .events import Report

# What the line says in the words of the log record, and what may be of any size.
_NO_FIELDS = {"values", "error", "why", "not_stored"}
_FIELDS = [name for name in Report._fields if name not in _NO_FIELDS]


def log_report(report: Report) -> None:
    """Log a line such as `hit sidebar[7] 0.08 ms (home.html:14)`.

    The record has the fields of the report as attributes, whose names begin with
    `fragcache_`, for logs in JSON and the like.
    """
    milliseconds = (report.body_seconds + report.store_seconds) * 1000
    place = f" ({report.place})" if report.place else ""
    structured = {f"fragcache_{name}": getattr(report, name) for name in _FIELDS}
    for name, why in (("why", report.why), ("not_stored", report.not_stored)):
        structured[f"fragcache_{name}"] = None if why is None else why.reason.value
    logger.log(
        logging.DEBUG,
        "%s %s%s %.2f ms%s%s",
        report.outcome,
        report.name,
        _shown_values(report),
        milliseconds,
        place,
        _explained(report),
        extra=structured,
    )


def _shown_values(report: Report) -> str:
    if not report.values:
        return ""
    return f"[{', '.join(map(shown_value, report.values))}]"


def _explained(report: Report) -> str:
    told = ""
    if report.why is not None:
        told += f" why: {report.why}"
    if report.waited:
        told += "; another caller made it"
    if report.not_stored is not None:
        told += f"; not stored: {report.not_stored}"
    return told
