"""The addresses of the panel: its page for every path of its own, its files, and a way there from the root."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tocsin.auth.call import Gate
from tocsin.kit.errors import NotFound
from tocsin.panel.files import File, read, read_page
from tocsin.panel.page import HEADERS, MISSING, boot, filled
from tocsin.settings import Settings

PREFIX = "/panel"


def serve_panel(app: FastAPI, gate: Gate, settings: Settings) -> None:
    """Serve what was built. Only paths below ``/panel/`` without a suffix are pages; whatever else is not there is
    404, for a tab from before an upgrade would take a page for the script it asked for."""
    files, built = read(), read_page()

    async def page(request: Request) -> Response:
        if built is None:
            return HTMLResponse(MISSING, 503, headers=HEADERS)
        return HTMLResponse(filled(built, await boot(request, gate, settings)), headers=HEADERS)

    async def panel(request: Request) -> Response:
        path = request.path_params["path"]
        if path in files:
            return _answer(files[path], request)
        if path.startswith("assets/") or "." in path.rpartition("/")[2]:
            raise NotFound()
        return await page(request)

    async def there(_request: Request) -> Response:
        return RedirectResponse(f"{PREFIX}/", 302)

    app.add_route("/", there, include_in_schema=False)
    app.add_route(PREFIX, there, include_in_schema=False)
    app.add_route(f"{PREFIX}/{{path:path}}", panel, include_in_schema=False)


def _answer(file: File, request: Request) -> Response:
    headers = {"ETag": file.etag, "Cache-Control": file.cache_control, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    body, encoding = file.accepted(request.headers.get("accept-encoding", ""))
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(body, media_type=file.media_type, headers=headers)
