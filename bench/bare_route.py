"""The floor of single events: an empty POST answered by a bare Starlette route, served as the API is served.

``python -m bench.bare_route PORT`` runs it as a process of its own.
"""

import sys
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.serving import serve, served


def bare_route() -> AbstractAsyncContextManager[tuple[str, int]]:
    """Its URL and process id, once it answers."""
    return served(__name__)


async def _accept(_request: Request) -> Response:
    return Response(status_code=202)


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/", _accept, methods=["POST"])]), int(sys.argv[1]))
