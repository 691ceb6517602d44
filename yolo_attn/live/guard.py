"""Who may see the page: by its token, or where there is none, who calls it by this machine's name."""

import hashlib
import hmac

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response


class Guard:
    """Lets in who knows the token, from its link or from the cookie that the link sets.

    The cookie is the token's digest, whatever letters that has, and has the port in its name: a browser keeps one set
    of cookies for all ports of a host. A page without a token, which is for this machine alone, also wants to be called
    by this machine's name, so that no foreign name that resolves to 127.0.0.1 can read it. A program, which has no
    cookies, sends `Authorization: Bearer TOKEN`.
    """

    def __init__(self, app, token: str, port: int):
        self._app, self._token, self._cookie = app, token, f"yolo-attn-{port}"
        self._digest = hashlib.sha256(token.encode()).hexdigest()

    async def __call__(self, scope, receive, send) -> None:
        request = Request(scope)
        if not self._token and request.url.hostname not in ("127.0.0.1", "localhost", "::1"):
            await Response("unknown host", 400)(scope, receive, send)
        elif not self._token or same(request.cookies.get(self._cookie, ""), self._digest) or self._bears(request):
            await self._app(scope, receive, send)
        elif same(request.query_params.get("token", ""), self._token):
            response = RedirectResponse(f"/{request.url.path.lstrip('/')}")  # //host/ would lead elsewhere
            response.set_cookie(self._cookie, self._digest, httponly=True, samesite="strict")
            await response(scope, receive, send)
        else:
            refusal = Response("open the page with ?token=...", 401, {"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)

    def _bears(self, request: Request) -> bool:
        scheme, _, said = request.headers.get("authorization", "").partition(" ")
        # Headers arrive as Latin-1, whatever they were written in.
        return scheme.lower() == "bearer" and hmac.compare_digest(said.strip().encode("latin-1"), self._token.encode())


def same(said: str, right: str) -> bool:
    """Tells whether two texts are equal, in a time that does not say where they differ."""
    return hmac.compare_digest(said.encode(), right.encode())
