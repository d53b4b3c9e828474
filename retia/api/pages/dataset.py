"""The page of a dataset version."""

from fastapi import APIRouter, Request, Response

from retia.api.context import Server
from retia.api.exhibits.exhibit import MATRIX, SCENE, STILL
from retia.api.exhibits.keep import FOLDER, find_exhibit
from retia.api.pages.charts import draw
from retia.api.pages.render import render
from retia.api.pages.usage import bibtex, loading
from retia.api.queries import parsed, published_version, published_versions

router = APIRouter(include_in_schema=False)

MOST_FILES = 100
HERE = "http://127.0.0.1:8000"
"""What a page calls a server that does not know its own address."""


@router.get("/datasets/{name}")
def newest(name: str, request: Request, server: Server) -> Response:
    """The newest version of a dataset."""
    with server.database.read() as session:
        version = published_version(session, name).version
    return dataset(name, version, request, server)


@router.get("/datasets/{name}/{version}")
def dataset(name: str, version: str, request: Request, server: Server) -> Response:
    """A version of a dataset."""
    with server.database.read() as session:
        row = published_version(session, name, version)
        exhibit = find_exhibit(session, server.storage, row)
        versions = published_versions(session, name)
        manifest = parsed(row.manifest)
    url = server.settings.public_url or HERE
    place = f"/api/v1/datasets/{name}/{version}/files"
    return render(
        "dataset.html",
        public_url=server.settings.public_url,
        row=row,
        manifest=manifest,
        versions=versions,
        exhibit=exhibit,
        charts=[draw(plot) for plot in exhibit.plots],
        pictures={key: f"{place}/{FOLDER}/{key}" for key in (SCENE, STILL, MATRIX)},
        sizes={path.removeprefix(f"{FOLDER}/"): size for path, (_, size) in exhibit.files.items()},
        place=place,
        ways=loading(manifest, url),
        bibtex=bibtex(manifest, row.published or row.created, url),
        most_files=MOST_FILES,
    )
