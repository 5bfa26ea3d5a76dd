"""The server: websocket connections in, one policy's decisions out; what one client does, no other one feels.

openpi client --frame--> unpack, read --Session in the Worker--> answer --frame--> client
GET /healthz, GET /metrics
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server as Listener
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response

import volition
from volition.serve.limits import Limits, Pace
from volition.serve.metrics import Metrics
from volition.serve.protocol import ProtocolError, pack, shown, unpack
from volition.serve.request import answer, read
from volition.serve.schema import Schema
from volition.serve.session import Policies, Session
from volition.serve.worker import Job, Worker
from volition.types import ActionChunk, RobotSpec

log = logging.getLogger("volition.serve")
_quiet = logging.getLogger("volition.serve.websockets")  # whatever strangers send would fill the log
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False

GOING_AWAY, POLICY_VIOLATION, INTERNAL, TRY_LATER = 1001, 1008, 1011, 1013
LEAVING = "The server is shutting down; connect again later."


class PolicyServer:
    """`start`, then `stop`: what is under way is answered, and everybody is told why it ends."""

    def __init__(
        self,
        policies: Policies,
        schema: Schema,
        robot: RobotSpec,
        *,
        limits: Limits | None = None,
        key: str | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self._policies, self._schema, self._robot = policies, schema, robot
        self.limits, self._key = limits or Limits(), key
        told = {name: value for name, value in asdict(self.limits).items() if name not in ("spare", "opening_s")}
        self._metadata = pack(
            {"volition": volition.__version__, "schema": schema.to_wire(), "limits": told, **(about or {})}
        )
        self._clients = self._sockets = 0
        self._tokens = Pace(2.0)  # for wrong keys
        self.metrics = Metrics(
            {
                "volition_clients": ("Clients that are connected.", lambda: self._clients),
                "volition_sockets": ("Sockets that are open.", lambda: self._sockets),
                "volition_inference_running_seconds": (
                    "For how long the decision under way has been running.",
                    lambda: self._worker.stuck_s,
                ),
            }
        )

    async def start(self, host: str, port: int) -> int:
        """The port, which is another one than asked for if that was 0."""
        self._leaving = asyncio.Event()
        self._worker = Worker()
        self._listener: Listener = await serve(
            self._client,
            host,
            port,
            process_request=self._http,
            create_connection=self._counted(),
            origins=[None],  # a page in somebody's browser has an Origin; robots have none
            compression=None,
            max_size=self.limits.message_bytes,
            max_queue=1,
            open_timeout=self.limits.opening_s,
            close_timeout=2.0,
            logger=_quiet,
            server_header=None,
        )
        return next(iter(self._listener.sockets)).getsockname()[1]

    async def stop(self) -> bool:
        """Whether everything ended by itself within the limits."""
        self._leaving.set()
        self._listener.close(close_connections=False)
        whole = True
        try:
            await asyncio.wait_for(self._listener.wait_closed(), self.limits.deadline_s + self.limits.send_s + 5.0)
        except TimeoutError:
            whole = False
        return self._worker.close(1.0) and whole

    # ---- before a connection is a client's

    def _counted(self) -> type[ServerConnection]:
        """Connections that know how many there are, and end at once when there are too many."""
        server = self

        class Counted(ServerConnection):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                server._sockets += 1
                if server._sockets > server.limits.clients + server.limits.spare:
                    server.metrics.count("volition_connections_total", "too_many_sockets")
                    self.transport.abort()

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                server._sockets -= 1

        return Counted

    async def _http(self, connection: ServerConnection, request: HttpRequest) -> Response | None:
        path = request.path.partition("?")[0]
        if path == "/healthz":
            return connection.respond(*self._health())
        if not self._allowed(request):
            self.metrics.count("volition_connections_total", "wrong_key")
            await asyncio.sleep(self._tokens.wait())
            return connection.respond(
                HTTPStatus.UNAUTHORIZED,
                "The API key is missing or wrong; send the header “Authorization: Api-Key KEY”.\n",
            )
        if path == "/metrics":
            return connection.respond(HTTPStatus.OK, self.metrics.text())
        if self._clients >= self.limits.clients:
            self.metrics.count("volition_connections_total", "too_many_clients")
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, self._full() + "\n")
        return None

    def _health(self) -> tuple[HTTPStatus, str]:
        if self._leaving.is_set():
            return HTTPStatus.SERVICE_UNAVAILABLE, LEAVING + "\n"
        if self._worker.stuck_s > self.limits.deadline_s:
            return HTTPStatus.SERVICE_UNAVAILABLE, f"A decision has been running for {self._worker.stuck_s:.0f} s.\n"
        return HTTPStatus.OK, "OK\n"

    def _allowed(self, request: HttpRequest) -> bool:
        if self._key is None:
            return True
        given = request.headers.get_all("Authorization")
        told = given[0] if len(given) == 1 else ""
        return hmac.compare_digest(told.encode("utf-8", "replace"), f"Api-Key {self._key}".encode())

    def _full(self) -> str:
        return f"There are {self.limits.clients} clients already, which is the limit; close one or raise --clients."

    # ---- one client

    async def _client(self, connection: ServerConnection) -> None:
        if self._clients >= self.limits.clients:  # several may have opened at once
            return await _close(connection, TRY_LATER, self._full())
        self._clients += 1
        self.metrics.count("volition_connections_total", "opened")
        who, answered, ended = _address(connection), 0, "it went away"
        log.info("%s connected", who)
        client = _Client(self, connection)
        try:
            await client.send(self._metadata)
            while (ended := await client.turn()) == "":
                answered += 1
        except ConnectionClosed as closed:
            ended = _why(closed)
        except Exception:  # nothing that a client does may reach the others
            log.exception("%s: the connection failed", who)
            ended = "an error of the server"
            await _close(connection, INTERNAL, "The server failed; its log says why.")
        finally:
            self._clients -= 1
            client.release()
            log.info("%s left after %d answers: %s", who, answered, ended)


class _Client:
    """One connection: an observation, its answer, and again."""

    def __init__(self, server: PolicyServer, connection: ServerConnection) -> None:
        self._server, self._connection = server, connection
        self._pace = Pace(server.limits.per_second)
        self._session: Session | None = None
        self._policy: Any = None
        self._job: Job | None = None
        self._began = asyncio.get_running_loop().time()

    async def turn(self) -> str:
        """One observation and its answer; why it ends, "" if it goes on."""
        server, connection = self._server, self._connection
        frame = await self._next()
        if isinstance(frame, _Ended):
            await _close(connection, frame.code, frame.why)
            return frame.why
        server.metrics.count("volition_bytes_total", "received", len(frame))
        try:
            reply = await self._answer(frame)
        except ProtocolError as error:
            server.metrics.count("volition_observations_total", "refused")
            await self.send(str(error))
            await _close(connection, INTERNAL, str(error))
            return str(error)
        server.metrics.count("volition_observations_total", "answered")  # a client may be gone as soon as it has it
        await self.send(reply)
        return ""

    async def _next(self) -> str | bytes | _Ended:
        """The next message, or why there will be none."""
        server = self._server
        pause = self._pace.wait()
        if pause:
            server.metrics.count("volition_slowed_total")
        receiving = asyncio.ensure_future(self._after(pause))
        leaving = asyncio.ensure_future(server._leaving.wait())
        try:
            await asyncio.wait(
                {receiving, leaving}, timeout=server.limits.idle_s + pause, return_when=asyncio.FIRST_COMPLETED
            )
            if receiving.done():
                return receiving.result()
            if leaving.done():
                return _Ended(GOING_AWAY, LEAVING)
            return _Ended(POLICY_VIOLATION, f"No whole observation came for {server.limits.idle_s:g} s.")
        finally:
            for task in (receiving, leaving):
                task.cancel()
            await asyncio.gather(receiving, leaving, return_exceptions=True)

    async def _after(self, pause: float) -> str | bytes:
        await asyncio.sleep(pause)
        return await self._connection.recv()

    async def _answer(self, frame: str | bytes) -> bytes:
        server, limits = self._server, self._server.limits
        if isinstance(frame, str):
            raise ProtocolError("A text frame came; send each observation as one binary frame of msgpack.")
        now = asyncio.get_running_loop().time() - self._began
        request = read(unpack(frame), server._schema, server._robot, now)
        job = self._job = server._worker.submit(lambda: self._sitting().decide(request))
        try:
            chunk: ActionChunk = await asyncio.wait_for(asyncio.shield(job.done), limits.deadline_s)
        except TimeoutError:
            begun = not job.cancel()
            server.metrics.count("volition_observations_total", "timed_out")
            what = "The policy took" if begun else "Other clients kept the policy for"
            raise ProtocolError(
                f"{what} longer than {limits.deadline_s:g} s; connect again, and ask less often."
            ) from None
        server.metrics.observe("volition_inference_seconds", job.took_s)
        server.metrics.observe("volition_wait_seconds", job.wait_s)
        return pack(answer(chunk, server._schema, infer_s=job.took_s, wait_s=job.wait_s))

    def _sitting(self) -> Session:
        """In the worker's thread: a policy may take a while to build."""
        if self._session is None:
            self._policy = self._server._policies.take()
            self._session = Session(self._policy)
        return self._session

    async def send(self, data: str | bytes) -> None:
        try:
            await asyncio.wait_for(self._connection.send(data), self._server.limits.send_s)
        except TimeoutError:
            self._connection.transport.abort()
            raise ConnectionClosedByUs from None
        self._server.metrics.count("volition_bytes_total", "sent", len(data))

    def release(self) -> None:
        """The policy goes back to the others, in the worker's turn: after a decision that is still under way."""
        self._server._worker.submit(self._give_back)

    def _give_back(self) -> None:
        if self._policy is not None:
            self._server._policies.give_back(self._policy)
            self._policy = self._session = None


class _Ended:
    def __init__(self, code: int, why: str) -> None:
        self.code, self.why = code, why


class ConnectionClosedByUs(ConnectionClosed):
    """The client did not take its answer."""

    def __init__(self) -> None:
        super().__init__(None, None)


def _why(closed: ConnectionClosed) -> str:
    if isinstance(closed, ConnectionClosedByUs):
        return "it did not take its answer"
    return shown(closed.sent.reason if closed.sent and closed.sent.reason else closed, 120)


def _address(connection: ServerConnection) -> str:
    address = connection.remote_address
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "a client"


async def _close(connection: ServerConnection, code: int, why: str) -> None:
    """A reason has at most 123 bytes."""
    await connection.close(code, why.encode()[:123].decode("utf-8", "ignore"))
