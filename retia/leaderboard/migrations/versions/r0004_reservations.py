"""Submissions on their way, which count for a quota before they are there."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table of reservations."""
    op.create_table(
        "reservations",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("dataset", sa.String, nullable=False),
        sa.Column("task", sa.String, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
    )
    op.create_index("ix_reservations_user_id", "reservations", ["user_id"])
