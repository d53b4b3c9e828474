"""Boards that are sorted and filtered in SQL, scores by evaluator, jobs that are tried again."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables of boards; the workers fill them from the scores that are there."""
    _widen_jobs()
    _score_by_evaluator()
    _add_boards()
    _add_entries()
    op.create_table(
        "locks",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.execute("INSERT INTO locks VALUES ('storage', '', 0)")


def _widen_jobs() -> None:
    for table in ("publications", "submissions"):
        column = sa.Column("failures", sa.Integer, nullable=False, server_default="0")
        op.add_column(table, column)
    for table in ("blobs", "shards"):
        with op.batch_alter_table(table) as batch:
            batch.alter_column("bytes", type_=sa.BigInteger, existing_type=sa.Integer)


def _score_by_evaluator() -> None:
    no = sa.false()
    op.add_column("submissions", sa.Column("order_sha256", sa.String))
    op.add_column("submissions", sa.Column("evaluator", sa.String))
    op.add_column(
        "submissions", sa.Column("blameless", sa.Boolean, nullable=False, server_default=no)
    )
    op.drop_index("submissions_of_task", "submissions")
    columns = ["publication_id", "task"]
    op.create_index("submissions_of_method", "submissions", [*columns, "user_id", "method"])
    op.create_index("submissions_in_order", "submissions", [*columns, "order_sha256"])
    op.create_index("ix_submissions_predictions_sha256", "submissions", ["predictions_sha256"])
    op.execute(
        "UPDATE submissions SET evaluator = (SELECT max(scores.evaluator) FROM scores "
        "WHERE scores.submission_id = submissions.id)"
    )
    op.rename_table("scores", "old_scores")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE old_scores RENAME CONSTRAINT scores_pkey TO old_scores_pkey")
    op.create_table(
        "scores",
        sa.Column("submission_id", sa.String, sa.ForeignKey("submissions.id"), primary_key=True),
        sa.Column("evaluator", sa.String, primary_key=True),
        sa.Column("part", sa.String, primary_key=True),
        sa.Column("measure", sa.String, primary_key=True),
        sa.Column("seed", sa.Integer, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
    )
    names = "submission_id, evaluator, part, measure, seed, value"
    op.execute(f"INSERT INTO scores ({names}) SELECT {names} FROM old_scores")  # noqa: S608
    op.drop_table("old_scores")


def _add_boards() -> None:
    boards = op.create_table(
        "boards",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("publication_id", sa.Integer, sa.ForeignKey("publications.id"), nullable=False),
        sa.Column("task", sa.String, nullable=False),
        sa.Column("measure", sa.String, nullable=False),
        sa.Column("lower_is_better", sa.Boolean, nullable=False),
        sa.Column("num_splits", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("worker", sa.String),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.UniqueConstraint("publication_id", "task"),
    )
    op.create_index("ix_boards_state", "boards", ["state"])
    published = op.get_bind().execute(
        sa.text("SELECT id, summary, published FROM publications WHERE state = 'published'")
    )
    zero = dict.fromkeys(("revision", "changes", "fence", "attempts", "failures"), 0)
    rows = [
        zero
        | {
            "publication_id": number,
            "task": task["name"],
            "measure": task["primary"],
            "lower_is_better": task["primary"].rpartition(".")[2] == "mae",
            "num_splits": task["num_splits"],
            "state": "received",
            "lease_until": 0.0,
            "created": time,
        }
        for number, summary, time in published
        for task in (json.loads(summary) if isinstance(summary, str) else summary).get("tasks", ())
    ]
    op.bulk_insert(boards, rows)


def _add_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("submission_id", sa.String, sa.ForeignKey("submissions.id"), primary_key=True),
        sa.Column("board_id", sa.Integer, sa.ForeignKey("boards.id"), nullable=False),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id")),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("method", sa.String, nullable=False),
        sa.Column("baseline", sa.Boolean, nullable=False),
        sa.Column("tier", sa.String, nullable=False),
        sa.Column("deterministic", sa.Boolean, nullable=False),
        sa.Column("external_data", sa.Boolean, nullable=False),
        sa.Column("parameters", sa.BigInteger, nullable=False),
        sa.Column("num_seeds", sa.Integer, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("unranked", sa.Boolean, nullable=False),
        sa.Column("standing", sa.Double, nullable=False),
        sa.Column("rank", sa.Integer),
        sa.Column("rank_group", sa.Integer),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("row", sa.Text, nullable=False),
        sa.UniqueConstraint("board_id", "user_id", "method"),
    )
    op.create_index(
        "entries_by_standing",
        "entries",
        ["board_id", "unranked", "standing", "created", "submission_id"],
    )
    op.create_table(
        "figures",
        sa.Column(
            "submission_id",
            sa.String,
            sa.ForeignKey("entries.submission_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("part", sa.String, primary_key=True),
        sa.Column("measure", sa.String, primary_key=True),
        sa.Column("board_id", sa.Integer, sa.ForeignKey("boards.id"), nullable=False),
        sa.Column("mean", sa.Double, nullable=False),
    )
    op.create_index(
        "figures_by_mean", "figures", ["board_id", "part", "measure", "mean", "submission_id"]
    )
    op.create_table(
        "resamples",
        sa.Column("submission_id", sa.String, sa.ForeignKey("submissions.id"), primary_key=True),
        sa.Column("evaluator", sa.String, nullable=False),
        sa.Column("means", sa.LargeBinary, nullable=False),
    )
