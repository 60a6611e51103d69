"""benchmarks/performance/load/wrk.py: what wrk prints."""

import pytest

from benchmarks.performance.load.wrk import Load, WrkError, read

PRINTED = """\
Running 3s test @ http://127.0.0.1:8000
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   312.84ms  272.74ms   1.15s    81.53%
    Req/Sec   150.82     92.69   390.00     72.73%
  Latency Distribution
     50%  243.36ms
     75%  436.59ms
     90%  732.91ms
     99%    1.06s\x20
  689 requests in 3.02s, 16.55MB read
Requests/sec:    227.86
Transfer/sec:      5.47MB
"""


def test_times_are_read_in_seconds_whatever_their_units_are() -> None:
    expected = Load(227.86, 689, 0.24336, 1.06, 1.15)
    assert read(PRINTED) == pytest.approx(expected)
    faster = read(PRINTED.replace("243.36ms", "950.00us").replace("1.15s", "1.50m"))
    assert faster.median == pytest.approx(0.00095)
    assert faster.slowest == 90


@pytest.mark.parametrize(
    "line",
    [
        "  Socket errors: connect 0, read 0, write 0, timeout 12\n",
        "  Non-2xx or 3xx responses: 7\n",
    ],
)
def test_no_figures_are_read_if_requests_failed(line: str) -> None:
    with pytest.raises(WrkError, match=line.strip()):
        read(PRINTED.replace("Requests/sec", f"{line}Requests/sec"))


@pytest.mark.parametrize("line", ["     99%", "Requests/sec", "    Latency ", "  689"])
def test_a_number_that_is_missing_is_an_error(line: str) -> None:
    kept = [each for each in PRINTED.splitlines() if not each.startswith(line)]
    assert len(kept) == len(PRINTED.splitlines()) - 1
    with pytest.raises(WrkError, match="what wrk printed"):
        read("\n".join(kept))
