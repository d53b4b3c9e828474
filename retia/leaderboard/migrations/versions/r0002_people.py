"""Sign-in: e-mails, sessions, links for one use, outside identities, the audit log, limits."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

LIKE = str.maketrans({"i": "l", "1": "l", "0": "o", ".": "", "_": "", "-": ""})


def upgrade() -> None:
    """Make the tables of sign-in."""
    op.add_column("users", sa.Column("email", sa.String))
    op.add_column("users", sa.Column("likeness", sa.String, nullable=False, server_default=""))
    _fill_likeness()
    op.create_index("users_likeness", "users", ["likeness"], unique=True)
    op.create_index("users_email", "users", ["email"])
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.String, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "links",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.String, nullable=False, unique=True),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id")),
        sa.Column("role", sa.String),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("used", sa.Double),
    )
    op.create_table(
        "identities",
        sa.Column("issuer", sa.String, primary_key=True),
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "places",
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("network", sa.String, primary_key=True),
        sa.Column("seen", sa.Double, nullable=False),
    )
    op.create_table(
        "limits",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("request", sa.String),
    )
    _only_append("audit")


def _fill_likeness() -> None:
    """Old names that look alike stay; the later ones get a likeness that no new name can have."""
    users = sa.table("users", sa.column("id"), sa.column("name"), sa.column("likeness"))
    connection, seen = op.get_bind(), set()
    rows = sa.select(users.c.id, users.c.name).order_by(users.c.id)
    for number, name in connection.execute(rows).all():
        likeness = name.lower().translate(LIKE).replace("rn", "m").replace("vv", "w")
        likeness = f"{likeness} {number}" if likeness in seen else likeness
        seen.add(likeness)
        connection.execute(sa.update(users).where(users.c.id == number).values(likeness=likeness))


def _only_append(table: str) -> None:
    """Let the database itself refuse to change or to remove a row."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'the {table} log is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'the {table} log is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
    )
