"""How much one request may ask of the server, and the guard that reads no more of a body than that."""

import json
from contextlib import suppress
from dataclasses import dataclass

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


class TooLarge(Exception):
    """Raised while a body is read that is larger than the limit."""


class LimitedBody:
    """ASGI middleware that refuses a body above the limit with 413, whether its length was declared or not."""

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
        taken, answered = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limits.bytes:
                raise TooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            if answered or taken <= self.limits.bytes:
                answered = True
                await send(message)

        with suppress(TooLarge):
            await self.app(scope, counted, watched)
        if taken > self.limits.bytes and not answered:
            await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        fix = "Send fewer rows at once, or use `nexusflow predict`."
        message = f"A request may have {self.limits.megabytes:g} MB; this one has more. {fix}"
        body = json.dumps({"problems": [{"severity": "error", "message": message}]}).encode()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})
