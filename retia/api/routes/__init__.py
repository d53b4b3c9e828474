"""The routes below `/api/v1`, a module for each kind of thing."""

from fastapi import APIRouter

from retia.api.routes import accounts, blobs, datasets, leaderboards, publications, submissions

router = APIRouter(prefix="/api/v1")
for module in (datasets, leaderboards, accounts, blobs, publications, submissions):
    router.include_router(module.router)
