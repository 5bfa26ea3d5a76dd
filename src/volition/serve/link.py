"""One websocket to a server, for a caller that cannot wait: every call has a deadline, whatever the network does.

caller's thread --open, ask--> event loop in a thread of its own --frames--> server
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from volition.errors import PolicyError
from volition.serve.protocol import shown

_T = TypeVar("_T")
MAX_BYTES = 8 * 2**20  # of one answer
_LEFT_S = 0.25  # to hang up


class LinkError(PolicyError):
    """There is no connection, or it broke."""


class Refused(LinkError):
    """The server is there and does not want this client."""


class Silent(PolicyError):
    """No answer came in time."""


class Link:
    """`owed`: answers that have not come yet. They come in order, so a late one is thrown away before the next is taken."""

    def __init__(self, url: str, key: str | None) -> None:
        self._url, self._key = url, key
        self._connection: ClientConnection | None = None
        self._ready = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._ready.run_forever, name="volition-link", daemon=True)
        self._thread.start()
        self._turn = asyncio.Lock()
        self.owed = 0

    @property
    def open(self) -> bool:
        return self._connection is not None

    def connect(self, deadline_s: float) -> bytes:
        """The server's first frame."""
        self.drop()
        return self._wait(self._connect(), deadline_s)

    def ask(self, data: bytes, deadline_s: float) -> bytes:
        """A Silent leaves the answer owed; a LinkError ends the connection."""
        if self._connection is None:
            raise LinkError("there is no connection")
        return self._wait(self._ask(self._connection, data), deadline_s)

    def drop(self) -> None:
        connection, self._connection, self.owed = self._connection, None, 0
        if connection is not None:
            with contextlib.suppress(PolicyError):
                self._wait(_hang_up(connection), 2 * _LEFT_S)

    def close(self) -> None:
        self.drop()
        asyncio.run_coroutine_threadsafe(self._end(), self._ready)
        self._thread.join(2.0)
        if not self._thread.is_alive():
            self._ready.close()

    def _wait(self, work: Coroutine[Any, Any, _T], deadline_s: float) -> _T:
        future = asyncio.run_coroutine_threadsafe(work, self._ready)
        try:
            return future.result(deadline_s)
        except concurrent.futures.TimeoutError:
            if not future.cancel():  # it came in this very moment
                return future.result()
            raise Silent(f"no answer within {deadline_s:g} s") from None
        except ConnectionClosed as error:
            self._lost()
            why = error.rcvd.reason if error.rcvd else ""
            raise LinkError(f"the server ended the connection{f': {shown(why, 160)}' if why else ''}") from None
        except InvalidStatus as error:
            body = shown(bytes(error.response.body or b"").decode("utf-8", "replace"), 160)
            kind = Refused if error.response.status_code < 500 else LinkError
            raise kind(f"the server refused ({error.response.status_code}): {body}") from None
        except (OSError, WebSocketException, EOFError) as error:
            self._lost()
            raise LinkError(shown(error, 160) or type(error).__name__) from None

    def _lost(self) -> None:
        connection, self._connection, self.owed = self._connection, None, 0
        if connection is not None:
            self._ready.call_soon_threadsafe(connection.transport.abort)

    async def _end(self) -> None:
        """Whatever is still tried is given up, and its sockets with it."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)
        await asyncio.sleep(0.01)  # an aborted connection closes its socket in a later turn of the loop
        self._ready.stop()

    async def _connect(self) -> bytes:
        headers = {"Authorization": f"Api-Key {self._key}"} if self._key else None
        connection = await connect(
            self._url,
            additional_headers=headers,
            compression=None,
            max_size=MAX_BYTES,
            open_timeout=None,  # the caller's deadline counts
            ping_interval=None,  # a stock server answers no ping while it decides
            close_timeout=_LEFT_S,
            proxy=None,
        )
        try:
            first = await connection.recv()
        except BaseException:
            connection.transport.abort()
            raise
        self._connection = connection
        return _binary(first)

    async def _ask(self, connection: ClientConnection, data: bytes) -> bytes:
        async with self._turn:
            while self.owed:
                await connection.recv()
                self.owed -= 1
            self.owed += 1  # it is on its way as soon as `send` begins, whether that is waited for or not
            await connection.send(data)
            reply = await connection.recv()
            self.owed -= 1
            return _binary(reply)


def _binary(frame: str | bytes) -> bytes:
    if isinstance(frame, str):
        raise PolicyError(f"the server says: {shown(frame, 400)}")
    return frame


async def _hang_up(connection: ClientConnection) -> None:
    try:
        await asyncio.wait_for(connection.close(1000, "The client has ended."), _LEFT_S)
    except (TimeoutError, WebSocketException, OSError):
        connection.transport.abort()
