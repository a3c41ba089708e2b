"""The queue as a file, and decisions from one: looked at first, then signed."""

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import Response

from fhir_adapter.core.errors import UsageError
from fhir_adapter.desk import files
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import back, page
from fhir_adapter.web.routes.queue import asked_of

router = APIRouter()

Packed = Annotated[str, Form(max_length=1_900_000)]
Named = Annotated[str, Form(max_length=200)]


def handed_out(content: bytes, form: str, name: str) -> Response:
    """A file to keep."""
    return Response(content, media_type=files.FORMS[form], headers={
        "content-disposition": f'attachment; filename="{name}.{form}"'})


def packed(content: bytes) -> str:
    """An upload as text, for the form of the second step: nothing is kept in between."""
    if len(content) > 1_300_000:
        raise UsageError("The file is larger than 1.3 MB; bring it in parts.")
    return base64.b64encode(content).decode()


def unpacked(text: str) -> bytes:
    """The upload again."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise UsageError("The form is not as it was sent.") from None


@router.get("/queue/file")
def queue_file(request: Request, viewer: Viewing, form: Annotated[str, Query(pattern="^(csv|xlsx)$")] = "xlsx"
               ) -> Response:
    """The conflicts of the filter in the address."""
    asked = asked_of(request, viewer)
    return handed_out(files.queue_file(request.app.state.work, viewer, asked.filter, form), form, "queue")


@router.post("/queue/file")
def look(request: Request, viewer: Viewing, upload: Annotated[UploadFile, File()]) -> Response:
    """What the decisions of a sheet would do; nothing is signed."""
    content, name = upload.file.read(), upload.filename or ""
    found = files.dry_run(request.app.state.work, viewer, name, content)
    return page(request, "sheet.html", run=found, content=packed(content), name=name)


@router.post("/queue/file/sign")
def sign(request: Request, viewer: Viewing, name: Named, content: Packed, mark: Annotated[str, Form(max_length=64)]
         ) -> Response:
    """Signs them, all or none."""
    files.sign(request.app.state.work, viewer, name, unpacked(content), mark)
    return back("/queue", "pending")
