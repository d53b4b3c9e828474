"""The pages of the documentation."""

from fastapi import APIRouter, Response

from retia.api.pages.assets import Assets
from retia.api.pages.documents import FOLDER, INDEX, document
from retia.api.pages.render import render

router = APIRouter(include_in_schema=False)
pictures = {
    f"/docs/{name}": Assets(directory=FOLDER / name)
    for name in ("figures", "images")
    if (FOLDER / name).is_dir()
}


@router.get("/docs")
def contents() -> Response:
    """All pages of the documentation."""
    return render("document.html", document=document(INDEX), index=True)


@router.get("/docs/{name}")
def page(name: str) -> Response:
    """A page of the documentation."""
    return render("document.html", document=document(name), index=False)
