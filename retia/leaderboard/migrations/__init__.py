"""The schema of the database, as a line of revisions that Alembic applies one after another.

A change of the tables is a new file `versions/rNNNN_what.py` whose `down_revision` is the newest
one before it. A revision that has landed never changes, and none is ever undone: a backup is.
"""
