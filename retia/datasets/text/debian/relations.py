"""What packages say of each other: the clauses of their relations as edges between names.

The form is that of Debian Policy 7.1: clauses joined by commas, alternatives in a clause joined by
`|`, each a name, perhaps with an architecture qualifier (`:any`), a version in parentheses, and
restrictions in brackets. The rules here:

- Each alternative is a reference of its own, and each that names a package of the lists is an edge.
- A name that is only provided (Policy 7.5) is no package: such a reference gives no edge, also
  where there is one provider alone. A name that is a package and provided too is the package.
- Versions, qualifiers and restrictions are left out: an edge says that a package names another.
- Names that are neither packages nor provided give no edge.

Every reference is counted once: `references` = `virtual` + `unresolved` + the pairs that come out,
and of these a graph drops and counts self-loops and duplicates.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retia.shards.errors import InputError

FIELDS = (
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Enhances",
    "Breaks",
    "Conflicts",
    "Replaces",
)
REFERENCE = (
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9+._-]*)(?::(?P<arch>[A-Za-z0-9-]+))?"
    r"\s*(?P<version>\([^)]*\))?\s*(?:\[[^\]]*\])?\s*(?:<[^>]*>\s*)*$"
)


@dataclass(frozen=True)
class References:
    """The references of a column of relations, in order.

    `row` (m,) the row of the column that each is from, `clause` (m,) the number of its clause,
    `name` (m,) large_string; `qualified` and `versioned` count those with a qualifier, a version.
    """

    row: NDArray[np.int64]
    clause: NDArray[np.int64]
    name: pa.LargeStringArray
    qualified: int
    versioned: int


def parse_relation(where: str, values: pa.LargeStringArray) -> References:
    """The references of (n,) values of a relation, null for none.

    Raises `InputError` with the first reference that has no form of Policy 7.1.
    """
    clauses, row = _parts(pc.fill_null(values, ""), ",")
    alternatives, clause = _parts(clauses, "|", keep_empty=True)
    fields = pc.extract_regex(alternatives, REFERENCE)
    if fields.null_count:
        first = int(np.argmax(fields.is_null().to_numpy(zero_copy_only=False)))
        raise InputError(
            f"{where}: '{alternatives[first].as_py()[:80]}' is no reference to a package; a name, "
            "perhaps with a version in parentheses, belongs there"
        )
    return References(
        row[clause],
        clause,
        pc.struct_field(fields, "name"),
        _count(pc.struct_field(fields, "arch")),
        _count(pc.struct_field(fields, "version")),
    )


def provided_names(where: str, provides: pa.LargeStringArray) -> pa.LargeStringArray:
    """The names that a column of `Provides` provides."""
    return pc.unique(parse_relation(where, provides).name)


def resolve(
    references: References, names: pa.LargeStringArray, provided: pa.LargeStringArray
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """The (E, 2) pairs of rows that the references join, and what became of all of them.

    `names` are the packages, (n,). Pairs may be equal, or of a row with itself.
    """
    found = pc.index_in(references.name, value_set=names)
    missing = found.is_null().to_numpy(zero_copy_only=False)
    virtual = missing & pc.is_in(references.name, value_set=provided).to_numpy(zero_copy_only=False)
    size = np.bincount(references.clause)
    target = found.filter(pa.array(~missing)).to_numpy(zero_copy_only=False)
    return np.column_stack([references.row[~missing], target]).astype(np.int64), {
        "clauses": len(size),
        "clauses_with_alternatives": int((size > 1).sum()),
        "references": len(missing),
        "references_with_qualifier": references.qualified,
        "references_with_version": references.versioned,
        "virtual": int(virtual.sum()),
        "unresolved": int((missing & ~virtual).sum()),
    }


def _parts(
    values: pa.LargeStringArray, by: str, *, keep_empty: bool = False
) -> tuple[pa.LargeStringArray, NDArray[np.int64]]:
    """The parts of all values without the blanks around them, and the place that each is from."""
    lists = pc.split_pattern(values, by)
    parts = pc.utf8_trim_whitespace(pc.list_flatten(lists))
    origin = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    if keep_empty:
        return parts, origin
    there = pc.not_equal(parts, "")
    return parts.filter(there), origin[there.to_numpy(zero_copy_only=False)]


def _count(group: pa.LargeStringArray) -> int:
    """How many references have a part that need not be there."""
    return int(pc.sum(pc.not_equal(group, "")).as_py() or 0)
