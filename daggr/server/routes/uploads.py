"""Uploads: a stream of bytes becomes an artifact that inputs can name."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, put
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from daggr.server.messages import FileValue
from daggr.server.served import Served
from daggr.store.files import StoredFile

MAX_UPLOAD = 2 << 30


def upload_route(served: Served) -> HTTPRouteHandler:
    """`PUT /api/uploads?name=…`."""

    @put("/api/uploads", status_code=200, request_max_body_size=None)
    async def upload(request: Request[Any, Any, Any], name: FromQuery[str] = "file") -> FileValue:
        """Take the raw body as a file. The answer's `artifact` names it as an input."""
        store = served.engine.store
        with store.blobs.writer() as writer:
            async for chunk in request.stream():
                if writer.size + len(chunk) > MAX_UPLOAD:
                    raise HTTPException(f"A file may have {MAX_UPLOAD >> 30} GiB at most.", status_code=413)
                writer.write(chunk)
            blob = writer.finish()
        staged = store.artifacts.stage_blob(blob, name)
        await asyncio.wrap_future(store.submit(lambda txn: None, [staged]))
        kept = StoredFile(store.blobs.path(blob.sha256), staged.artifact.name, blob.size, blob.sha256)
        return served.values.file_value(staged.digest, kept)

    return upload
