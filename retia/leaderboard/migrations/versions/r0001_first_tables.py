"""The tables of the first server: accounts, blobs, datasets, publications, submissions, scores."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("sha256", sa.String, nullable=False, unique=True),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("scopes", sa.String, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("last_used", sa.Double),
        sa.Column("revoked", sa.Boolean, nullable=False),
    )
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.String, primary_key=True),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("sealed", sa.Boolean, primary_key=True),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "datasets",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("owner_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "publications",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, sa.ForeignKey("datasets.name"), nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.Column("sealed_part", sa.String),
        sa.Column("commitment", sa.String),
        sa.Column("findings", sa.JSON, nullable=False),
        sa.Column("published", sa.Double),
        *_job(),
        sa.UniqueConstraint("name", "version"),
    )
    op.create_index("ix_publications_state", "publications", ["state"])
    op.create_table(
        "origins",
        sa.Column(
            "publication_id",
            sa.Integer,
            sa.ForeignKey("publications.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("sha256", sa.String, primary_key=True),
    )
    op.create_index("ix_origins_sha256", "origins", ["sha256"])
    op.create_table(
        "shards",
        sa.Column("publication_id", sa.Integer, sa.ForeignKey("publications.id"), primary_key=True),
        sa.Column("path", sa.String, primary_key=True),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
    )
    op.create_index("ix_shards_sha256", "shards", ["sha256"])
    op.create_table(
        "submissions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("publication_id", sa.Integer, sa.ForeignKey("publications.id"), nullable=False),
        sa.Column("task", sa.String, nullable=False),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id")),
        sa.Column("method", sa.String, nullable=False),
        sa.Column("meta", sa.JSON, nullable=False),
        sa.Column("seeds", sa.JSON, nullable=False),
        sa.Column("predictions_sha256", sa.String, nullable=False),
        sa.Column("idempotency_key", sa.String),
        sa.Column("body_sha256", sa.String, nullable=False),
        sa.Column("tier", sa.String, nullable=False),
        sa.Column("baseline", sa.Boolean, nullable=False),
        *_job(),
        sa.UniqueConstraint("user_id", "idempotency_key"),
    )
    op.create_index("ix_submissions_state", "submissions", ["state"])
    op.create_index("submissions_of_task", "submissions", ["publication_id", "task"])
    op.create_table(
        "scores",
        sa.Column("submission_id", sa.String, sa.ForeignKey("submissions.id"), primary_key=True),
        sa.Column("part", sa.String, primary_key=True),
        sa.Column("measure", sa.String, primary_key=True),
        sa.Column("seed", sa.Integer, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("evaluator", sa.String, nullable=False),
    )


def _job() -> list[sa.Column[Any]]:
    return [
        sa.Column("state", sa.String, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("worker", sa.String),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    ]
