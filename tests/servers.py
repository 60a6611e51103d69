"""Real servers for the tests, each on a free port of the loopback interface."""

import os
import random
import select
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis

_START_SECONDS = 20
REDIS = ("redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", "")
# As root Memcached refuses to run without the name of a user.
MEMCACHED = ("memcached", "-p", "{port}", "-l", "127.0.0.1", "-u", "nobody")
# By default a replica waits five seconds for others to join it.
_NO_DELAY = ("--repl-diskless-sync-delay", "0")
_SLOTS = 16384


@dataclass
class Server:
    """A running server."""

    port: int
    process: subprocess.Popen[bytes]


@contextmanager
def running(program: str, *options: str, **env: str) -> Iterator[Server]:
    """Run a server in the `with` block.

    If the program is missing, the test is skipped. In CI it fails.

    Args:
        program: the program of the server.
        options: its arguments; `{port}` is replaced by the port.
        env: more environment variables.
    """
    path = shutil.which(program)
    if path is None:
        missing(f"{program} is not installed")
    # The folder is removed at the end, with all that the server has written to it.
    with _reserved_port() as port, tempfile.TemporaryDirectory() as folder:
        command = [path, *(option.format(port=port) for option in options)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, **env},
        )
        try:
            _wait_until_listening(process, port)
            yield Server(port, process)
        finally:
            # Killed, because a server that a test has paused would not terminate.
            process.kill()
            process.wait(_START_SECONDS)


def missing(message: str) -> NoReturn:
    """Skip the test because something is missing. In CI, fail it."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def redis_server(program: str = "redis-server") -> Iterator[int]:
    """Run a Redis server, and yield its port."""
    with running(program, *REDIS[1:]) as server:
        yield server.port


@dataclass
class Certificate:
    """A certificate for 127.0.0.1 that is signed by itself, and its private key."""

    file: Path
    key: Path


def certificate(folder: Path) -> Certificate:
    """Make a certificate in a folder, with the openssl command."""
    program = shutil.which("openssl") or missing("openssl is not installed")
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    command = [program, "req", "-x509", "-nodes", "-days", "2"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-out", str(made.file), "-keyout", str(made.key)]
    subprocess.run(command, check=True, capture_output=True)
    return made


def tls_options(certificate: Certificate) -> tuple[str, ...]:
    """Return the program and the options of a Redis server that speaks TLS only."""
    return (
        *("redis-server", "--port", "0", "--tls-port", "{port}", "--save", ""),
        *("--bind", "127.0.0.1", "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(certificate.file)),
        *("--tls-key-file", str(certificate.key)),
    )


@dataclass
class Watched:
    """A Redis master and its replica, and the port of a sentinel that watches them."""

    sentinel: int
    master: Server
    replica: Server


@contextmanager
def redis_with_sentinel(folder: Path, password: str) -> Iterator[Watched]:
    """Run a master named `shop`, its replica, and a sentinel that soon fails over."""
    auth = ("--requirepass", password, "--masterauth", password, *_NO_DELAY)
    with ExitStack() as stack:
        master = stack.enter_context(running(*REDIS, *auth))
        of_master = ("--replicaof", f"127.0.0.1 {master.port}")
        replica = stack.enter_context(running(*REDIS, *auth, *of_master))
        with redis.Redis(port=replica.port, password=password) as client:
            wait_for(lambda: client.info()["master_link_status"] == "up")
        config = folder / "sentinel.conf"
        config.write_text(
            f"sentinel monitor shop 127.0.0.1 {master.port} 1\n"
            f"sentinel auth-pass shop {password}\n"
            "sentinel down-after-milliseconds shop 1000\n"
            "sentinel failover-timeout shop 1000\n"
        )
        options = ("--sentinel", "--port", "{port}", "--bind", "127.0.0.1")
        sentinel = stack.enter_context(running(REDIS[0], str(config), *options))
        with redis.Redis(port=sentinel.port) as client:
            wait_for(lambda: client.info("sentinel")["master0"]["slaves"] == 1)
        yield Watched(sentinel.port, master, replica)


@contextmanager
def redis_cluster() -> Iterator[list[int]]:
    """Run a Redis cluster of three nodes, and yield their ports."""
    with ExitStack() as stack:
        command = (*REDIS, "--cluster-enabled", "yes")
        ports = [stack.enter_context(running(*command)).port for _ in range(3)]
        nodes = [stack.enter_context(redis.Redis(port=port)) for port in ports]
        for number, node in enumerate(nodes):
            slots = range(_SLOTS * number // 3, _SLOTS * (number + 1) // 3)
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.execute_command("CLUSTER", "ADDSLOTS", *slots)
            node.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0])
        wait_for(lambda: all(map(_knows_all, nodes)))
        yield ports


def _knows_all(node: Any) -> bool:
    told: dict[str, str] = node.cluster("INFO")
    return told["cluster_state"] == "ok" and told["cluster_known_nodes"] == "3"


def memcached() -> Iterator[int]:
    """Run a Memcached server, and yield its port."""
    with memcached_server() as server:
        yield server.port


@contextmanager
def memcached_server(*options: str, **env: str) -> Iterator[Server]:
    """Run a Memcached server with more options and environment variables."""
    with running(*MEMCACHED, *options, **env) as server:
        yield server


@contextmanager
def sasl_memcached(folder: Path, user: str, password: str) -> Iterator[Server]:
    """Run Memcached with SASL. The name of the user is `user@shop.test`."""
    program = shutil.which("saslpasswd2") or missing("saslpasswd2 is not installed")
    accounts = folder / "accounts"
    command = [program, "-p", "-c", "-u", "shop.test", "-f", str(accounts), user]
    subprocess.run(command, input=password.encode(), check=True)
    # Memcached runs as another user than the tests do.
    for each in (folder, accounts):
        each.chmod(0o755)
    (folder / "memcached.conf").write_text(
        "mech_list: plain\npwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
        f"sasldb_path: {accounts}\n"
    )
    with memcached_server("-S", SASL_CONF_PATH=str(folder)) as server:
        yield server


class RoundTrips(socketserver.ThreadingTCPServer):
    """A proxy of a server that counts how often clients wait for its answers."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), PassingOn)
        self.behind = ("127.0.0.1", port)
        self.port: int = self.server_address[1]
        self.count = 0


class PassingOn(socketserver.BaseRequestHandler):
    """One connection. What either side sends goes to the other side."""

    server: RoundTrips

    def handle(self) -> None:
        with socket.create_connection(self.server.behind) as behind:
            other = {self.request: behind, behind: self.request}
            is_asking = False
            while True:
                for side in select.select(list(other), [], [])[0]:
                    data = side.recv(1 << 16)
                    if not data:
                        return
                    if side is self.request and not is_asking:
                        self.server.count += 1
                    is_asking = side is self.request
                    other[side].sendall(data)


@contextmanager
def round_trips(port: int) -> Iterator[RoundTrips]:
    """Count the round trips to a server. Clients have to be closed before the end."""
    with RoundTrips(port) as counting:
        thread = threading.Thread(target=counting.serve_forever, args=[0.01])
        thread.start()
        try:
            yield counting
        finally:
            counting.shutdown()
            thread.join()


def uwsgi(file: Path) -> Iterator[int]:
    """Run a uWSGI server with a cache, which serves the application in a file."""
    # Without a master process, entries expire only in a lazy cache.
    cache = "--cache2=name=shop,items=100,blocksize=65536,lazy=1"
    with uwsgi_server(f"--wsgi-file={file}", cache, "--threads=4") as server:
        yield server.port


@contextmanager
def uwsgi_server(*options: str, **env: str) -> Iterator[Server]:
    """Run a uWSGI server that finds the tests' modules."""
    if find_spec("pyuwsgi") is None:
        missing("pyuwsgi is not installed")
    start = "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])"
    always = ("--http-socket=127.0.0.1:{port}", f"--pythonpath={Path.cwd()}")
    command = (sys.executable, "-c", start, *always)
    with running(*command, *options, **env) as server:
        yield server


@contextmanager
def _reserved_port() -> Iterator[int]:
    """Reserve a free port, and the one 10,000 above it, in the `with` block.

    The nodes of a Redis cluster use that one to talk to each other. Both are below the
    range from which Linux gives ports to clients, so no client takes one of them before
    the server listens. No other process that runs tests takes them either: each binds
    the UDP port of the same number first, which none of the servers uses.
    """
    while True:
        port = random.randint(11_000, 20_999)
        with socket.socket(type=socket.SOCK_DGRAM) as reservation:
            try:
                reservation.bind(("127.0.0.1", port))
                for number in (port, port + 10_000):
                    with socket.socket() as probe:
                        probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            yield port
            return


def _wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    def listening() -> bool:
        if process.poll() is not None:
            pytest.fail(f"the server did not start: {process.args!r}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    wait_for(listening)


def wait_for(ready: Callable[[], bool]) -> None:
    """Wait until servers are in an expected state, for 20 seconds at most.

    Servers do not tell when they are, so this asks again and again.
    """
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail("the servers are not ready")
        time.sleep(0.01)


@contextmanager
def paused(process_id: int) -> Iterator[None]:
    """Pause a server in the `with` block, as if it hung."""
    os.kill(process_id, signal.SIGSTOP)
    try:
        wait_for(lambda: _is_stopped(process_id))
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


def _is_stopped(process_id: int) -> bool:
    # proc(5): the state follows the name, which is in parentheses.
    states = [
        stat.read_text().rpartition(")")[2].split()[0]
        for stat in Path(f"/proc/{process_id}/task").glob("*/stat")
    ]
    return set(states) == {"T"}
