"""The page: the built canvas and the theme it is drawn in."""

from __future__ import annotations

from pathlib import Path

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.router import Router
from litestar.static_files import create_static_files_router

from daggr.errors import ConfigError
from daggr.server.guard import PAGE_POLICY

_PACKAGE = Path(__file__).resolve().parents[2]
_PLACES = (_PACKAGE / "_static", _PACKAGE.parent / "static" / "dist")
_HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


def find_page() -> Path:
    """The folder of the built canvas.

    Raises:
        ConfigError: this daggr was installed without it.
    """
    for place in _PLACES:
        if (place / "index.html").is_file():
            return place
    raise ConfigError(
        "The canvas is not built.",
        "Install daggr with `pip install .` (or build it: cd static && npm ci && npm run build).",
    )


def page_routes(theme_css: str) -> list[HTTPRouteHandler | Router]:
    """`/`, `/theme.css` and the files beside the page."""
    folder = find_page()
    index = (folder / "index.html").read_text(encoding="utf-8")

    @get("/", sync_to_thread=False, include_in_schema=False)
    def page() -> Response[str]:
        return Response(index, media_type="text/html", headers={**_HEADERS, "cache-control": "no-cache"})

    @get("/theme.css", sync_to_thread=False, include_in_schema=False)
    def theme() -> Response[str]:
        return Response(theme_css, media_type="text/css", headers={"cache-control": "no-cache"})

    assets = create_static_files_router(
        path="/assets",
        directories=[folder / "assets"],
        include_in_schema=False,
        cache_control=None,
    )
    return [page, theme, assets]
