"""How much one request may ask of the server, and the guard that reads no more of a body than that."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`rows` of the entity table and `megabytes` of body per request, `seconds` from its arrival to its answer.

    `at_a_time` requests compute together; the others wait their turn.
    """

    rows: int = 10_000
    megabytes: float = 32.0
    seconds: float = 30.0
    at_a_time: int = 2

    @property
    def bytes(self) -> int:
        """The largest body."""
        return int(self.megabytes * 2**20)

    @property
    def too_slow(self) -> str:
        """What a client is told whose request took too long."""
        return f"The request took longer than {self.seconds:g} s. Send fewer rows, or try again."


# Where in a request's scope stands when it came in, on the monotonic clock.
CAME = "nexusflow.came"


class Refused(Exception):
    """Raised while a body is read that is larger, or comes more slowly, than the limits allow."""


class LimitedBody:
    """ASGI middleware that refuses a body above the limit with 413, whether its length was declared or not, and one
    that takes longer to come than a request may with 503."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.limits.bytes:
            await self._refuse(send)
            return
        came = scope[CAME] = time.monotonic()
        taken, slow, whole, answered = 0, False, False, False

        async def counted() -> Message:
            nonlocal taken, slow, whole
            # After the body comes only word that the client has gone, which may take its time.
            left = None if whole else self.limits.seconds - (time.monotonic() - came)
            with anyio.move_on_after(left) as waiting:
                message = await receive()
            if waiting.cancelled_caught:
                slow = True
                raise Refused
            taken += len(message.get("body", b""))
            whole = whole or not message.get("more_body", False)
            if taken > self.limits.bytes:
                raise Refused
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            if answered or not (slow or taken > self.limits.bytes):
                answered = True
                await send(message)

        with suppress(Refused):
            await self.app(scope, counted, watched)
        if not answered and slow:
            await self._refuse(send, 503, self.limits.too_slow)
        elif not answered and taken > self.limits.bytes:
            await self._refuse(send)

    async def _refuse(self, send: Send, status: int = 413, message: str = "") -> None:
        fix = "Send fewer rows at once, or use `nexusflow predict`."
        message = message or f"A request may have {self.limits.megabytes:g} MB; this one has more. {fix}"
        body = json.dumps({"problems": [{"severity": "error", "message": message}]}).encode()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
