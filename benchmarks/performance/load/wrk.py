"""Runs wrk, and reads what it prints."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

_VISITS = Path(__file__).parent / "visits.lua"
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TIME = r"([\d.]+)(us|ms|s|m|h)"
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)
_REQUESTS = re.compile(r"^\s*(\d+) requests in ", re.MULTILINE)
_LATENCY = re.compile(rf"^ *Latency +\S+ +\S+ +{_TIME} ", re.MULTILINE)
_PERCENTILE = rf"^\s*{{}}%\s+{_TIME}\s*$"
_ERRORS = re.compile(
    r"^\s*(Socket errors: .*|Non-2xx or 3xx responses: .*)$", re.MULTILINE
)


class WrkError(Exception):
    """wrk failed, or requests did, or what it printed can't be read."""


class Load(NamedTuple):
    """What wrk has measured. Times are in seconds.

    Attributes:
        rate: Requests in a second.
        requests: The number of requests.
        median: The time that half of all requests took at most.
        slow: The same of 99 in 100.
        slowest: The time of the slowest request.
    """

    rate: float
    requests: int
    median: float
    slow: float
    slowest: float


def read(output: str) -> Load:
    """Read what `wrk --latency` prints.

    Raises:
        WrkError: If requests failed, or a number is missing.
    """
    errors = _ERRORS.search(output)
    if errors:
        raise WrkError(f"Some requests failed: {errors[1].strip()}")
    return Load(
        float(_found(_RATE, output)[1]),
        int(_found(_REQUESTS, output)[1]),
        _seconds(_found(_percentile(50), output)),
        _seconds(_found(_percentile(99), output)),
        _seconds(_found(_LATENCY, output)),
    )


def _percentile(number: int) -> re.Pattern[str]:
    return re.compile(_PERCENTILE.format(number), re.MULTILINE)


def _found(pattern: re.Pattern[str], output: str) -> re.Match[str]:
    found = pattern.search(output)
    if not found:
        raise WrkError(
            f"There is no {pattern.pattern!r} in what wrk printed:\n{output}"
        )
    return found


def _seconds(found: re.Match[str]) -> float:
    return float(found[1]) * _UNITS[found[2]]


def run(port: int, seconds: int, connections: int) -> Load:
    """Visit the site on a port.

    Args:
        port: The port.
        seconds: For how long.
        connections: How many visitors there are at a time.

    Raises:
        WrkError: If something fails.
    """
    command = ["wrk", "--latency", "--threads", "2", "--timeout", "30s"]
    command += ["--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--script", str(_VISITS), f"http://127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise WrkError(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    return read(done.stdout)
