"""Debian's packages as a text-attributed graph: descriptions, relations, sections and debtags.

A package's name is its id and, unless it is asked for, among no texts: `lib*-dev` and `golang-*`
tell the section. Of maintainers nothing but a number is kept, since the field holds people's names
and addresses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retia.datasets.text.debian.control import TEXT, Stanzas, parse_control
from retia.datasets.text.debian.lists import ListFile
from retia.datasets.text.debian.relations import (
    FIELDS,
    parse_relation,
    provided_names,
    resolve,
)
from retia.datasets.text.debian.versions import version_key
from retia.datasets.text.graph import (
    UNLABELLED,
    Labels,
    Report,
    TextGraph,
    TextRelation,
    as_texts,
    make_text_graph,
)
from retia.shards.errors import InputError

REQUIRED = ("Package", "Version", "Architecture", "Filename")
ABOUT = ("Source", "Maintainer", "Section", "Tag", "Description", "Description-md5", "Provides")
TRANSLATED = ("Package", "Description-md5", "Description-en")
MIN_SECTION = 100
MIN_TAG = 50
OTHER = "other"

Columns = dict[str, pa.LargeStringArray]


@dataclass(frozen=True)
class Rare:
    """From how many packages on a section, and a debtag, is a class of its own."""

    section: int = MIN_SECTION
    tag: int = MIN_TAG


def read_packages(
    lists: Sequence[ListFile],
    translation: ListFile | None = None,
    *,
    names: bool = False,
    rare: Rare | None = None,
) -> TextGraph:
    """The packages of all lists as one graph, in the order of the lists.

    Of records with one name that with the highest version stands, the first of equal ones. Texts
    are `description`, the short one, and `long_description` where the lists or the translation have
    it; with `names` also `name`. Relations are those of `FIELDS` in lower case. Labels are
    `section` and, where there are any, `debtags`; groups are `source` and `maintainer`. Raises
    `InputError` for a list that is cut or holds no package.
    """
    rare = rare or Rare()
    stanzas = [_parse(one, (*REQUIRED[:2], *ABOUT, *FIELDS), REQUIRED) for one in lists]
    columns, report = _newest(stanzas)
    where = ", ".join(one.path.name for one in lists)
    short, given = _descriptions(columns["Description"])
    long = given if translation is None else _translated(columns, given, translation)
    texts = {"description": short} | ({"long_description": long} if (long != "").any() else {})
    if "long_description" in texts:
        report["without_long_description"] = int((long == "").sum())
    if names:
        texts["name"] = _texts(columns["Package"])
    relations, counted = _relations(where, columns)
    labels, counted_labels = _labels(columns, rare)
    return make_text_graph(
        where,
        _texts(columns["Package"]),
        texts,
        relations,
        labels=labels,
        groups={"source": _sources(columns), "maintainer": _numbers(columns["Maintainer"])},
        report=report | counted | counted_labels,
    )


def _parse(listed: ListFile, fields: Sequence[str], required: Sequence[str]) -> Stanzas:
    parsed = parse_control(str(listed.path), listed.content, fields, required)
    if not len(parsed):
        raise InputError(f"{listed.path}: there is no package in it")
    return parsed


def _newest(stanzas: Sequence[Stanzas]) -> tuple[Columns, Report]:
    """The columns of all lists, each name once with its highest version."""
    columns = {
        field: pa.concat_arrays([one.columns[field] for one in stanzas])
        for field in stanzas[0].columns
    }
    code, names = pd.factorize(_texts(columns["Package"]))
    kept = np.full(len(names), -1, dtype=np.int64)
    kept[code[::-1]] = np.arange(len(code))[::-1]
    again = np.flatnonzero(np.bincount(code)[code] > 1)
    versions = columns["Version"].take(pa.array(again)).to_pylist()
    keys = pd.Series([version_key(version) for version in versions], index=again, dtype=object)
    ranked = keys.sort_values(kind="stable", ascending=False).index.to_numpy()
    _, first = np.unique(code[ranked], return_index=True)
    kept[code[ranked[first]]] = ranked[first]
    rows = pa.array(np.sort(kept))
    return {field: values.take(rows) for field, values in columns.items()}, {
        "records": len(code),
        "lower_versions_dropped": len(code) - len(kept),
        "lines_with_invalid_utf8": sum(one.replaced for one in stanzas),
    }


def _descriptions(
    description: pa.LargeStringArray,
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """The first line of descriptions, and what follows as plain paragraphs; "" for none."""
    whole = pc.fill_null(description, "")
    short = pc.replace_substring_regex(whole, r"(?s)\s*\n.*$", "")
    rest = pc.replace_substring_regex(whole, r"^[^\n]*\n?", "", max_replacements=1)
    rest = pc.replace_substring_regex(rest, r"(?m)^[ \t]+\.?[ \t]*$", "")
    rest = pc.replace_substring_regex(rest, r"(?m)^[ \t]", "")
    return _texts(short), _texts(rest)


def _translated(
    columns: Columns, given: NDArray[np.object_], translation: ListFile
) -> NDArray[np.object_]:
    """Long descriptions from a Translation-en file, else those given.

    Apt's key is the name with the MD5 sum of the English description.
    """
    parsed = _parse(translation, TRANSLATED, TRANSLATED[:2])
    _, long = _descriptions(parsed.columns["Description-en"])
    keys = [
        pc.binary_join_element_wise(
            one["Package"], pc.fill_null(one["Description-md5"], ""), pa.scalar("/", TEXT)
        )
        for one in (columns, parsed.columns)
    ]
    row = pc.fill_null(pc.index_in(keys[0], value_set=keys[1]), -1)
    place = row.to_numpy(zero_copy_only=False)
    if (place < 0).all():
        raise InputError(
            f"{translation.path}: describes none of the packages; give the Translation-en file of "
            "the same suite"
        )
    return np.where(place >= 0, long[place], given)


def _relations(where: str, columns: Columns) -> tuple[list[TextRelation], Report]:
    names = columns["Package"]
    provided = provided_names(f"{where}, Provides", columns["Provides"])
    only_provided = ~pc.is_in(provided, value_set=names).to_numpy(zero_copy_only=False)
    report = {"virtual_names": int(only_provided.sum())}
    relations = []
    for field in FIELDS:
        name = field.lower()
        references = parse_relation(f"{where}, {field}", columns[field])
        pairs, counted = resolve(references, names, provided)
        relations.append(TextRelation(name, directed=True, pairs=pairs))
        report |= {f"{name}_{what}": count for what, count in counted.items()}
    return relations, report


def _labels(columns: Columns, rare: Rare) -> tuple[dict[str, Labels], Report]:
    section, report = _sections(columns["Section"], rare.section)
    tags, counted = _debtags(columns["Tag"], rare.tag)
    labels = {"section": section} | ({"debtags": tags} if tags.classes else {})
    return labels, report | counted


def _sections(section: pa.LargeStringArray, least: int) -> tuple[Labels, Report]:
    """Sections without the component before them; those of few packages are one class."""
    plain = _texts(pc.replace_substring_regex(pc.fill_null(section, ""), "^.*/", ""))
    names, code, count = np.unique(plain, return_inverse=True, return_counts=True)
    few = (count < least) & (names != "")
    merged = np.where(few, OTHER, names)[code]
    classes = np.unique(merged[merged != ""])
    values = pc.index_in(pa.array(merged, pa.string()), value_set=pa.array(classes, pa.string()))
    values = pc.fill_null(values, UNLABELLED).to_numpy(zero_copy_only=False)
    return Labels(tuple(classes.tolist()), values.astype(np.int64)), {
        "sections": int((names != "").sum()),
        "sections_merged_into_other": int(few.sum()),
        "packages_of_merged_sections": int(count[few].sum()),
        "packages_without_section": int((plain == "").sum()),
    }


def _debtags(tags: pa.LargeStringArray, least: int) -> tuple[Labels, Report]:
    """The debtags that enough packages have; a package that has any debtag is labelled.

    A tag that a labelled package lacks may only never have been given to it.
    """
    lists = pc.split_pattern(pc.fill_null(tags, ""), ",")
    flat = _texts(pc.utf8_trim_whitespace(pc.list_flatten(lists)))
    row = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)[flat != ""]
    names, code = np.unique(flat[flat != ""], return_inverse=True)
    given = np.unique(np.column_stack([row, code]), axis=0)
    count = np.bincount(given[:, 1], minlength=len(names))
    common = count >= least
    place = np.cumsum(common) - 1
    kept = given[common[given[:, 1]]]
    values = np.zeros((len(tags), int(common.sum())), dtype=bool)
    values[kept[:, 0], place[kept[:, 1]]] = True
    labelled = np.zeros(len(tags), dtype=bool)
    labelled[row] = True
    return Labels(tuple(names[common].tolist()), values, labelled), {
        "packages_with_debtags": int(labelled.sum()),
        "debtags": len(names),
        "debtags_of_few_packages_dropped": int((~common).sum()),
        "debtag_assignments": len(given),
        "debtag_assignments_dropped": len(given) - len(kept),
    }


def _sources(columns: Columns) -> NDArray[np.object_]:
    """The source package: its name without a version; the package's own where none is named."""
    named = pc.replace_substring_regex(columns["Source"], r"\s*\(.*$", "")
    return _texts(pc.coalesce(named, columns["Package"]))


def _numbers(values: pa.LargeStringArray) -> NDArray[np.object_]:
    """A number for each value, in the order in which they come, "" for none."""
    texts = _texts(values)
    code, _ = pd.factorize(texts)
    return np.where(texts == "", "", code.astype(str).astype(object))


def _texts(values: pa.LargeStringArray) -> NDArray[np.object_]:
    return as_texts(values.to_numpy(zero_copy_only=False))
