"""The addresses of the two panels: a page for every path of their own, their files, and a way there from the root."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tocsin.auth.call import Gate
from tocsin.kit.errors import NotFound
from tocsin.panel.files import PLATFORM_PAGE, File, read, read_page
from tocsin.panel.page import HEADERS, MISSING, boot, filled, is_of_a_project
from tocsin.settings import Settings

PREFIX = "/panel"
PLATFORM = "/platform"
VISIT = "visit/"
"""Below the platform's prefix: the panel of a project, opened by an admin on a visit."""


def serve_panel(app: FastAPI, gate: Gate, settings: Settings) -> None:
    """Serve what was built. Only paths without a suffix are pages; whatever else is not there is 404, for a tab from
    before an upgrade would take a page for the script it asked for. The platform's are at the installation's own
    hosts alone; files of both lie below ``/panel/``."""
    files, built, platform_built = read(), read_page(), read_page(name=PLATFORM_PAGE)

    async def page(request: Request, built: str | None, **instead: None) -> Response:
        if built is None:
            return HTMLResponse(MISSING, 503, headers=HEADERS)
        known = {**await boot(request, gate, settings), **instead}
        return HTMLResponse(filled(built, known), headers=HEADERS)

    async def panel(request: Request) -> Response:
        path = request.path_params["path"]
        if path in files:
            return _answer(files[path], request)
        if not _is_page(path):
            raise NotFound()
        return await page(request, built)

    async def platform(request: Request) -> Response:
        path = request.path_params["path"]
        if not _is_page(path) or await is_of_a_project(request, gate):
            raise NotFound()
        return await page(request, built if path.startswith(VISIT) else platform_built, project=None)

    async def there(request: Request) -> Response:
        return RedirectResponse(f"{PLATFORM if request.url.path == PLATFORM else PREFIX}/", 302)

    for path in ("/", PREFIX, PLATFORM):
        app.add_route(path, there, include_in_schema=False)
    app.add_route(f"{PREFIX}/{{path:path}}", panel, include_in_schema=False)
    app.add_route(f"{PLATFORM}/{{path:path}}", platform, include_in_schema=False)


def _is_page(path: str) -> bool:
    return not path.startswith("assets/") and "." not in path.rpartition("/")[2]


def _answer(file: File, request: Request) -> Response:
    headers = {"ETag": file.etag, "Cache-Control": file.cache_control, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    body, encoding = file.accepted(request.headers.get("accept-encoding", ""))
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(body, media_type=file.media_type, headers=headers)
