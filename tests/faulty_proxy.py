"""A proxy of a real server that loses, repeats, damages or replaces its replies."""

import select
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from hypothesis import strategies as st

#: Returns the length of the reply at the start of some bytes, None if it is not whole.
Framing = Callable[[bytes], int | None]
# More than clients read at once.
_ENDLESS = 1 << 20
_LINE_END = b"\r\n"


def redis_reply(data: bytes) -> int | None:
    """Return the length of the reply of a Redis server at the start of some bytes."""
    end = data.find(_LINE_END)
    if end < 0:
        return None
    kind, argument = data[:1], data[1:end]
    end += 2
    if kind in b"$!=" and argument != b"-1":
        end += int(argument) + 2
        return end if end <= len(data) else None
    if kind in b"*~>%|" and argument != b"-1":
        for _ in range(int(argument) * (2 if kind in b"%|" else 1)):
            length = redis_reply(data[end:])
            if length is None:
                return None
            end += length
    return end


def memcached_reply(data: bytes) -> int | None:
    """Return the length of the reply of a Memcached server at the start of some bytes.

    The values that a `get` returns are one reply.
    """
    begin = 0
    while (end := data.find(_LINE_END, begin)) >= 0:
        line = data[begin:end]
        begin = end + 2
        if not line.startswith(b"VALUE "):
            return begin
        begin += int(line.split()[3]) + 2
    return None


def tls_record(data: bytes) -> int | None:
    """Return the length of the TLS record at the start of some bytes (RFC 8446, 5.1).

    With this framing, a proxy does to records what it does to replies otherwise.
    """
    end = 5 + int.from_bytes(data[3:5])
    return end if 5 <= len(data) >= end else None


class Answer(NamedTuple):
    """What a client gets in place of a reply.

    Attributes:
        now: These bytes, at once.
        later: These, when the client sends its next request on the same connection.
        ends: Whether the connection is closed after `now`.
        is_endless: Whether a megabyte without a line break follows.
    """

    now: bytes = b""
    later: bytes = b""
    ends: bool = False
    is_endless: bool = False


class Fault:
    """What is done to a reply. By itself, nothing."""

    def answer(self, reply: bytes, earlier: Sequence[bytes]) -> Answer:
        """Return what the client gets.

        Args:
            reply: The reply.
            earlier: The replies before it, on all connections.
        """
        return Answer(reply)


@dataclass(frozen=True)
class Cut(Fault):
    """The connection is closed after some bytes, at the end at the latest."""

    after: int

    def answer(self, reply: bytes, earlier: Sequence[bytes]) -> Answer:
        return Answer(reply[: self.after], ends=True)


@dataclass(frozen=True)
class Hang(Fault):
    """The rest comes when the client does not wait for it any more."""

    after: int = 0

    def answer(self, reply: bytes, earlier: Sequence[bytes]) -> Answer:
        return Answer(reply[: self.after], reply[self.after :])


@dataclass(frozen=True)
class Twice(Fault):
    """It comes twice."""

    def answer(self, reply: bytes, earlier: Sequence[bytes]) -> Answer:
        return Answer(reply + reply)


@dataclass(frozen=True)
class TwiceLate(Fault):
    """It comes again before the reply to the next request."""

    def answer(self, reply: bytes, earlier: Sequence[bytes]) -> Answer:
        return Answer(reply, reply)


@dataclass(frozen=True)
class Again(Fault):
    """An earlier reply comes, in place of this one or before it."""

    back: int
    replaces: bool = False

    def answer(self, reply: bytes, earlier: Sequence[bytes]) -> Answer:
        old = earlier[-1 - self.back % len(earlier)] if earlier else b""
        return Answer(old if self.replaces and old else old + reply)


@dataclass(frozen=True)
class Damage(Fault):
    """A byte is changed, missing (`put` is empty), or more than there was."""

    at: int
    cut: int
    put: bytes

    def answer(self, reply: bytes, earlier: Sequence[bytes]) -> Answer:
        at = self.at % len(reply)
        return Answer(reply[:at] + self.put + reply[at + self.cut :])


@dataclass(frozen=True)
class Instead(Fault):
    """Something else comes."""

    what: bytes

    def answer(self, reply: bytes, earlier: Sequence[bytes]) -> Answer:
        return Answer(self.what)


@dataclass(frozen=True)
class Endless(Fault):
    """A line comes that has no end. After a megabyte the connection is closed."""

    start: bytes

    def answer(self, reply: bytes, earlier: Sequence[bytes]) -> Answer:
        return Answer(self.start, is_endless=True)


NOTHING = Fault()
_HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
REDIS_ANSWERS = [
    _HTTP,
    b"$9999999999\r\n",
    b"*9999999999\r\n",
    b"$-7\r\n",
    b"$x\r\n",
    b"*1\r\n",
    b"*-1\r\n",
    b"*2\r\n$-1\r\n$-1\r\n",
    b"$-1\r\n",
    b"_\r\n",
    b"%1\r\n+a\r\n+b\r\n",
    b">2\r\n+a\r\n+b\r\n",
    b"+OK\r\n",
    b"+\xff\xfe\r\n",
    b":1\r\n",
    b"\r\n",
    b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    b"-READONLY You can't write against a read only replica.\r\n",
    b"-LOADING Redis is loading the dataset in memory\r\n",
    b"-MOVED 1 127.0.0.1:1\r\n",
    b"-ASK 1 127.0.0.1:1\r\n",
    b"-NOAUTH Authentication required.\r\n",
    b"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    b"-NOPERM this user has no permissions to run the command\r\n",
    b"-CLUSTERDOWN The cluster is down\r\n",
    b"-MASTERDOWN Link with MASTER is down\r\n",
    b"-BUSY Redis is busy running a script.\r\n",
    b"-NOSCRIPT No matching script.\r\n",
    b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    b"-ERR max number of clients reached\r\n",
    b"-\r\n",
    b"VALUE k 0 4\r\ntext\r\nEND\r\n",
]
MEMCACHED_ANSWERS = [
    _HTTP,
    b"VALUE k 0 99999999999\r\n",
    b"VALUE k 0 -5\r\n",
    b"VALUE k 0 x\r\n",
    b"VALUE k 0 4\r\ntext\r\nEND\r\n",
    b"VALUE k\r\n",
    b"VALUE \r\n",
    b"END\r\n",
    b"STORED\r\n",
    b"NOT_STORED\r\n",
    b"DELETED\r\n",
    b"NOT_FOUND\r\n",
    b"7\r\n",
    b"99999999999999999999999\r\n",
    b"\r\n",
    b"\xff\xfe\r\n",
    b"ERROR\r\n",
    b"CLIENT_ERROR bad command line format\r\n",
    b"CLIENT_ERROR bad data chunk\r\n",
    b"SERVER_ERROR out of memory storing object\r\n",
    b"SERVER_ERROR object too large for cache\r\n",
    b"SERVER_ERROR\r\n",
    b"$4\r\ntext\r\n",
]
_POSITIONS = st.integers(0, 400)
#: Faults that leave a reply out, or the end of it.
LOSSES: st.SearchStrategy[Fault] = st.one_of(
    st.builds(Cut, _POSITIONS),
    st.builds(Hang, st.sampled_from([0, 6])),
    st.builds(Endless, st.sampled_from([b"", b"$", b"+", b"*", b"VALUE k 0 "])),
)
#: Faults after which replies may be taken for those to other requests.
REPEATS: st.SearchStrategy[Fault] = st.sampled_from([Twice(), TwiceLate()]) | st.builds(
    Again, st.integers(0, 20), st.booleans()
)
#: Faults that change up to two bytes.
DAMAGES: st.SearchStrategy[Fault] = st.builds(
    Damage, _POSITIONS, st.integers(0, 2), st.binary(max_size=2)
)


def plans(faults: st.SearchStrategy[Fault]) -> st.SearchStrategy[list[Fault]]:
    """Return a strategy of what happens to the replies of a server: mostly nothing."""
    return st.dictionaries(st.integers(0, 70), faults, min_size=1, max_size=6).map(
        lambda plan: [plan.get(each, NOTHING) for each in range(max(plan) + 1)]
    )


class FaultyProxy(socketserver.ThreadingTCPServer):
    """A proxy of a server that does to each reply what a plan says.

    Args:
        port: The port of the server.
        framing: Finds the ends of replies.

    Attributes:
        port: The port of the proxy.
        plan: What is done to the next replies, in the order of their arrival. All
            others are passed on as they are.
        happened: The faults that happened.
        connections: How many connections there were.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = True

    def __init__(self, port: int, framing: Framing) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.behind = ("127.0.0.1", port)
        self.port: int = self.server_address[1]
        self.framing = framing
        self.plan: list[Fault] = []
        self.happened: list[Fault] = []
        self.connections = 0
        self._earlier: list[bytes] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def start(self, plan: Sequence[Fault]) -> None:
        """Forget what happened, and do what a plan says from now on."""
        with self._lock:
            self.plan = list(plan)
            self.happened = []
            self._earlier = []

    def next_answer(self, reply: bytes) -> Answer:
        """Return what a client gets in place of a reply."""
        with self._lock:
            fault = self.plan.pop(0) if self.plan else NOTHING
            answer = fault.answer(reply, self._earlier)
            self._earlier.append(reply)
            if answer != Answer(reply):
                self.happened.append(fault)
            return answer

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that are gone."""

    def note(self, client: socket.socket, *, is_open: bool) -> None:
        """Note that a connection was opened or closed."""
        with self._lock:
            if is_open:
                self.connections += 1
                self._open.add(client)
            else:
                self._open.discard(client)

    def cut_all(self) -> None:
        """Cut all connections."""
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


class _Connection(socketserver.BaseRequestHandler):
    """One connection of a client."""

    server: FaultyProxy

    def handle(self) -> None:
        client: socket.socket = self.request
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.note(client, is_open=True)
        try:
            with socket.create_connection(self.server.behind) as behind:
                behind.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pass(client, behind)
        finally:
            self.server.note(client, is_open=False)

    def _pass(self, client: socket.socket, behind: socket.socket) -> None:
        replies, later = b"", b""
        while True:
            for side in select.select([client, behind], [], [])[0]:
                data = side.recv(1 << 16)
                if not data:
                    return
                if side is client:
                    client.sendall(later)
                    later = b""
                    behind.sendall(data)
                    continue
                replies += data
                while length := self.server.framing(replies):
                    answer = self.server.next_answer(replies[:length])
                    replies = replies[length:]
                    client.sendall(answer.now)
                    later += answer.later
                    if answer.is_endless:
                        _send_without_end(client)
                    if answer.ends or answer.is_endless:
                        return


def _send_without_end(client: socket.socket) -> None:
    for _ in range(_ENDLESS >> 12):
        client.sendall(b"7" * (1 << 12))


@contextmanager
def faulty_proxy(port: int, framing: Framing) -> Iterator[FaultyProxy]:
    """Run a proxy of a server in the `with` block."""
    with FaultyProxy(port, framing) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=[0.01])
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
            proxy.cut_all()
