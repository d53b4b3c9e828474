"""Debian's package lists: how they are found, read, and what becomes of their rules."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.datasets.text.debian.control import parse_control
from retia.datasets.text.debian.lists import APT_LISTS, find_list, find_release, read_list
from retia.datasets.text.debian.packages import Rare, read_packages
from retia.datasets.text.debian.relations import FIELDS, parse_relation, resolve
from retia.datasets.text.debian.versions import version_key
from retia.datasets.text.graph import TextGraph
from retia.shards.errors import InputError, IntegrityError
from tests.conftest import NO_DATA
from tests.debian_lists import (
    COMPRESS,
    PACKAGES,
    TRANSLATION,
    many_packages,
    write_list,
    write_suite,
)


@pytest.fixture
def graph(tmp_path: Path) -> TextGraph:
    """The hand-made packages; a section of two is a class of its own."""
    return read_packages([read_list(write_list(tmp_path))], rare=Rare(section=2, tag=1))


def edges(graph: TextGraph, relation: str) -> set[tuple[str, str]]:
    """The edges of a relation by name."""
    src, dst = graph.relation(relation).pairs.T
    return set(zip(graph.ids[src].tolist(), graph.ids[dst].tolist(), strict=True))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_list_is_the_same_however_it_is_compressed(tmp_path: Path, suffix: str) -> None:
    listed = read_list(write_list(tmp_path, suffix=suffix))
    assert listed.content == PACKAGES.encode()
    assert listed.as_source().uri == "file:Packages"
    assert listed.as_source().sha256 == read_list(write_list(tmp_path)).sha256


def test_all_that_exists_of_alternatives_is_an_edge_and_what_is_provided_is_none(
    graph: TextGraph,
) -> None:
    assert edges(graph, "depends") == {
        ("editor", "libtext"),
        ("editor", "editor-data"),
        ("editor", "editor-data-min"),
        ("editor", "python3"),
        ("libtext", "python3"),
        ("libtext", "editor"),
    }
    assert edges(graph, "pre-depends") == {("editor", "libtext")}
    assert edges(graph, "enhances") == {("libtext", "editor")}
    assert edges(graph, "breaks") == {("editor-data", "editor"), ("editor-data", "editor-data-min")}
    assert edges(graph, "replaces") == {("editor-data", "editor")}
    assert edges(graph, "conflicts") == {("editor-data-min", "editor-data")}
    assert edges(graph, "recommends") == edges(graph, "suggests") == set()


def test_every_reference_is_counted_once(graph: TextGraph) -> None:
    report = graph.report
    assert report["depends_virtual"] == 1
    assert report["depends_unresolved"] == 1
    assert report["depends_self_loops_dropped"] == 1
    assert report["depends_duplicates_merged"] == 1
    assert report["depends_clauses_with_alternatives"] == 2
    assert report["virtual_names"] == 2
    assert (report["recommends_unresolved"], report["recommends_self_loops_dropped"]) == (1, 1)
    for relation in graph.relations:
        assert_adds_up(graph, relation.name)


def test_of_a_name_the_highest_version_stands(graph: TextGraph) -> None:
    assert sorted(graph.ids) == ["editor", "editor-data", "editor-data-min", "libtext", "python3"]
    assert "code of letters" in graph.texts["description"]
    assert (graph.report["records"], graph.report["lower_versions_dropped"]) == (6, 1)


def test_of_equal_versions_the_first_stands(tmp_path: Path) -> None:
    other = PACKAGES.replace("fewer letters", "other letters").replace(
        "Version: 3.11", "Version: 4"
    )
    lists = [
        read_list(write_list(tmp_path, text, name=name))
        for name, text in (("first", PACKAGES), ("second", other.replace("interpreter", "newer")))
    ]
    graph = read_packages(lists)
    assert {"fewer letters", "newer"} <= set(graph.texts["description"])
    assert "other letters" not in graph.texts["description"]


def test_sections_lose_their_component_and_rare_ones_are_merged(graph: TextGraph) -> None:
    section = graph.labels["section"]
    assert section.classes == ("editors", "other")
    assert dict(zip(graph.ids, np.array(section.classes)[section.values], strict=True)) == {
        "editor": "editors",
        "editor-data": "editors",
        "editor-data-min": "editors",
        "libtext": "other",
        "python3": "other",
    }
    assert graph.report["packages_of_merged_sections"] == 2


def test_debtags_are_known_of_packages_that_have_any(tmp_path: Path, graph: TextGraph) -> None:
    tags = graph.labels["debtags"]
    assert tags.classes == ("interface::shell", "role::program", "role::shared-lib", "use::editing")
    assert graph.ids[tags.known].tolist() == ["editor", "libtext"]
    assert tags.values[graph.ids == "editor"].tolist() == [[True, True, False, True]]
    rare = read_packages([read_list(write_list(tmp_path))])
    assert "debtags" not in rare.labels
    assert rare.report["debtags_of_few_packages_dropped"] == 4


def test_names_and_maintainers_are_not_given_away(tmp_path: Path, graph: TextGraph) -> None:
    assert list(graph.texts) == ["description", "long_description"]
    numbers = dict(zip(graph.ids, graph.groups["maintainer"], strict=True))
    assert numbers["editor"] == numbers["editor-data"] != numbers["python3"] == numbers["libtext"]
    assert all(number.isdigit() for number in numbers.values())
    named = read_packages([read_list(write_list(tmp_path))], names=True)
    assert named.texts["name"].tolist() == named.ids.tolist()


def test_a_source_is_named_without_its_version(graph: TextGraph) -> None:
    sources = dict(zip(graph.ids, graph.groups["source"], strict=True))
    assert sources["editor"] == sources["editor-data"] == sources["editor-data-min"] == "editor"
    assert sources["python3"] == "python3"


def test_long_descriptions_come_from_the_translation_or_the_list(tmp_path: Path) -> None:
    translation = read_list(write_list(tmp_path, TRANSLATION, ".xz", "Translation-en"))
    graph = read_packages([read_list(write_list(tmp_path))], translation)
    long = dict(zip(graph.ids, graph.texts["long_description"], strict=True))
    assert long["editor"] == "A long tale of letters.\n\nIt goes on."
    assert long["editor-data"] == ""
    assert long["python3"] == "It interprets.\n\n indented"
    assert graph.report["without_long_description"] == 3


def test_a_translation_of_another_suite_is_refused(tmp_path: Path) -> None:
    other = TRANSLATION.replace("md5: aaa", "md5: ccc")
    translation = read_list(write_list(tmp_path, other, name="Translation-en"))
    with pytest.raises(InputError, match="describes none of the packages"):
        read_packages([read_list(write_list(tmp_path))], translation)


@pytest.mark.parametrize(
    ("cut", "line"),
    [
        ("Version: 1.0-1\nMaint", "line 30: the file is cut in the middle of the line"),
        ("Maintainer: Bob <bob@example.org>\n", "line 40: the last stanza does not end"),
    ],
)
def test_a_list_cut_in_the_middle_is_refused(tmp_path: Path, cut: str, line: str) -> None:
    text = PACKAGES[: PACKAGES.rindex(cut, 0, PACKAGES.index("1.10~rc1")) + len(cut)]
    with pytest.raises(InputError, match=line):
        read_packages([read_list(write_list(tmp_path, text))])


def test_a_stanza_that_lacks_its_end_is_refused(tmp_path: Path) -> None:
    text = PACKAGES.replace("Filename: pool/libtext_1.9.deb\n", "")
    with pytest.raises(InputError, match="line 38: the stanza that starts here has no 'Filename'"):
        read_packages([read_list(write_list(tmp_path, text))])


def test_lost_lines_between_stanzas_are_noticed(tmp_path: Path) -> None:
    text = PACKAGES.replace("Filename: pool/editor.deb\n\n", "")
    with pytest.raises(InputError, match="line 13: the stanza has a second 'Package'"):
        read_packages([read_list(write_list(tmp_path, text))])


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".lz4"])
def test_a_compressed_list_that_ends_early_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write_list(tmp_path, many_packages(), suffix)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"ends early, after [\d,]+ whole lines"):
        read_list(path)


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".lz4"])
def test_a_list_that_is_not_compressed_as_its_name_says_is_refused(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"Packages{suffix}"
    path.write_text(PACKAGES)
    with pytest.raises(InputError, match=f"cannot be read as {suffix[1:]}"):
        read_list(path)


def test_a_list_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than 1,000 bytes"):
        read_list(write_list(tmp_path, suffix=".xz"), max_bytes=1000)


def test_what_is_no_list_is_refused(tmp_path: Path) -> None:
    for text, why in (
        ("id,name\n1,a\n\n", "line 1: 'id,name' is no field"),
        (" goes on\n\n", "line 1: a stanza starts with a line that goes on"),
        ("\n", "no package in it"),
        ("", "the file is empty"),
    ):
        with pytest.raises(InputError, match=why):
            read_packages([read_list(write_list(tmp_path, text))])
    with pytest.raises(InputError, match=r"Depends: 'python3 \(>= 3' is no reference"):
        read_packages([read_list(write_list(tmp_path, PACKAGES.replace("(>= 3)", "(>= 3")))])


def test_bytes_that_are_no_utf8_are_replaced_and_their_lines_counted(tmp_path: Path) -> None:
    path = tmp_path / "Packages"
    path.write_bytes(PACKAGES.encode().replace(b"interpreter", b"interpr\xe9t\xe9 \xc3\xa9"))
    graph = read_packages([read_list(path)])
    assert "interpr�t� é" in graph.texts["description"]
    assert graph.report["lines_with_invalid_utf8"] == 1


def test_apts_list_is_the_latest_main_suite_of_debian(tmp_path: Path) -> None:
    wanted = write_suite(tmp_path, "trixie", date="Sat, 18 Jul 2026 10:00:00 UTC")
    write_suite(tmp_path, "bookworm")
    write_suite(tmp_path, "trixie-updates", date="Sun, 19 Jul 2026 10:00:00 UTC")
    write_suite(tmp_path, "nodistro", date="Sun, 19 Jul 2026 10:00:00 UTC", origin="Others")
    assert find_list(folder=tmp_path) == wanted
    release = read_list(wanted).release
    assert release is not None
    assert release.as_dict() == {
        "codename": "trixie",
        "version": "12.15",
        "date": "2026-07-18T10:00:00+00:00",
    }
    write_suite(tmp_path, "sid", arch="arm64")
    with pytest.raises(InputError, match="lists for amd64, arm64; choose one with --arch"):
        find_list(folder=tmp_path)
    assert find_list("amd64", tmp_path) == wanted
    with pytest.raises(InputError, match="no list of Debian's packages for riscv64"):
        find_list("riscv64", tmp_path)


def test_a_list_that_is_not_that_of_its_release_is_refused(tmp_path: Path) -> None:
    path = write_suite(tmp_path, "bookworm")
    path.write_bytes(COMPRESS[".lz4"](PACKAGES[: PACKAGES.rindex("Package:")].encode()))
    with pytest.raises(IntegrityError, match="is not that of main/binary-amd64/Packages"):
        read_list(path)


@settings(max_examples=50)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["A", "Bee", "C-d"]),
                st.from_regex(r"[a-zé:#. ]{0,9}(\n [a-z:. ]{1,9}){0,2}", fullmatch=True),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda field: field[0],
        ),
        min_size=1,
        max_size=5,
    )
)
def test_control_files_are_read_as_line_by_line(stanzas: list[list[tuple[str, str]]]) -> None:
    text = "".join("".join(f"{k}:{v}\n" for k, v in stanza) + "\n" for stanza in stanzas)
    parsed = parse_control("it", text.encode(), ("A", "Bee", "C-d"), ())
    for field in ("A", "Bee", "C-d"):
        values = [dict(stanza).get(field) for stanza in stanzas]
        wanted = [None if value is None else value.strip() for value in values]
        assert parsed.columns[field].to_pylist() == wanted


NAMES = ("a", "bb", "c+", "d.1")
REFERENCE = st.builds(
    "{}{}{}{}".format,
    st.sampled_from([*NAMES, "virtual", "nowhere"]),
    st.sampled_from(["", ":any", ":native"]),
    st.sampled_from(["", " ", "\n "]),
    st.sampled_from(["", "(>= 1:2~3-4)", "(= 1) [amd64 !i386]", "<!nocheck> <cross>"]),
)


@settings(max_examples=50)
@given(st.lists(st.lists(st.lists(REFERENCE, min_size=1, max_size=3), max_size=3), min_size=4))
def test_relations_are_read_as_clause_by_clause(packages: list[list[list[str]]]) -> None:
    values = [", ".join(" | ".join(clause) for clause in clauses) for clauses in packages[:4]]
    column = pa.array([value or None for value in values], pa.large_string())
    provided = pa.array(["virtual", "bb"], pa.large_string())
    names = pa.array(NAMES, pa.large_string())
    pairs, counted = resolve(parse_relation("it", column), names, provided)
    said = [
        (row, re.split(r"[:\s(<]", reference)[0])
        for row, clauses in enumerate(packages[:4])
        for clause in clauses
        for reference in clause
    ]
    wanted = [[row, NAMES.index(name)] for row, name in said if name in NAMES]
    assert pairs.tolist() == wanted
    assert counted["references"] == len(said)
    assert counted["virtual"] == sum(name == "virtual" for _, name in said)
    assert counted["unresolved"] == sum(name == "nowhere" for _, name in said)
    assert counted["clauses"] == sum(len(clauses) for clauses in packages[:4])


def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    if shutil.which("dpkg") is None:
        pytest.skip(f"{NO_DATA}: no dpkg")

    def dpkg(a: str, relation: str, b: str) -> bool:
        words = ["dpkg", "--compare-versions", a, relation, b]
        return subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode == 0

    rng = np.random.default_rng(0)
    signs = list("0019ac.+~")
    drawn = ["".join(rng.choice(signs, size)) for size in rng.integers(0, 6, 200)]
    upstream = [f"{number % 3}{one}" for number, one in enumerate(drawn)]
    versions = [
        *("1.0", "1.0-0", "1.", "0:1.0", "1.0~", "1.0~~", "1.0a", "1.0+b", "1-1-1"),
        *upstream,
        *(f"1:{one}" for one in upstream[:20]),
        *(f"{one}-{other or 0}" for one, other in zip(upstream[:60], drawn[60:120], strict=True)),
    ]
    places = rng.integers(0, len(versions), (150, 2)).tolist()
    pairs = [(versions[i], versions[j]) for i, j in places]
    for a, b in pairs + [("1.0", other) for other in versions[:20]]:
        if dpkg(a, "eq", b):
            assert version_key(a) == version_key(b), (a, b)
        else:
            assert (version_key(a) < version_key(b)) == dpkg(a, "lt", b), (a, b)


def assert_adds_up(graph: TextGraph, name: str) -> None:
    """Each reference of a relation is an edge, or counted as something else, once."""
    kinds = ("virtual", "unresolved", "self_loops_dropped", "duplicates_merged")
    counted = sum(graph.report.get(f"{name}_{kind}", 0) for kind in kinds)
    assert graph.report[f"{name}_references"] == counted + len(graph.relation(name).pairs)


@pytest.mark.slow
def test_counts_are_those_of_apt(tmp_path: Path) -> None:
    """Apt's own reading of the list of this machine, in folders of the test's own."""
    if shutil.which("apt-cache") is None or not list(APT_LISTS.glob("*_Packages*")):
        pytest.skip(f"{NO_DATA}: no lists of apt")
    path = find_list()
    graph = read_packages([read_list(path)])
    packages, relations = as_apt_reads(path, tmp_path, graph.ids.tolist())
    assert packages == graph.num_nodes
    text = stanza_texts(path)
    for field in FIELDS:
        name = field.lower()
        ours, apts = edges(graph, name), relations[field.replace("-", "")]
        assert not apts - ours, name
        for package, other in ours - apts:  # apt reads no `:any` where packages exclude others
            assert name in ("breaks", "conflicts", "replaces")
            assert re.search(rf"^{field}:.*\b{re.escape(other)}:any", text[package], re.MULTILINE)
        assert_adds_up(graph, name)


def stanza_texts(path: Path) -> dict[str, str]:
    """The stanzas of a list by package."""
    stanzas = read_list(path).content.decode().split("\n\n")
    return {one.partition("\n")[0].removeprefix("Package: "): one for one in stanzas}


def as_apt_reads(
    path: Path, folder: Path, names: list[str]
) -> tuple[int, dict[str, set[tuple[str, str]]]]:
    """The number of packages of a list, and by relation who names whom, as `apt-cache` tells."""
    (folder / "lists" / "partial").mkdir(parents=True)
    release = find_release(path)
    assert release is not None
    for file in (path, release.path):
        shutil.copy(file, folder / "lists")
    server, suite = path.name.split("_dists_")
    site = f"http://{server.replace('_', '/')} {suite.split('_')[0]} main"
    (folder / "sources.list").write_text(f"deb [trusted=yes] {site}\n")
    (folder / "status").touch()
    settings = {
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Cache": folder,
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]

    def ask(*words: str) -> str:
        command = ["apt-cache", *options, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    kinds = dict(
        line.strip().split(": ") for line in ask("stats").splitlines() if "packages:" in line
    )
    packages = int(kinds["Normal packages"]) + int(kinds["Mixed virtual packages"])
    parts = [
        ask("depends", *names[start : start + 40_000]) for start in range(0, len(names), 40_000)
    ]
    return packages, _said("".join(parts), set(names))


def _said(text: str, names: set[str]) -> dict[str, set[tuple[str, str]]]:
    """What `apt-cache depends` says; names in angle brackets are no packages."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    package = ""
    for line in text.splitlines():
        if not line.startswith((" ", "|")):
            package = line
        elif match := re.fullmatch(r"[ |]{2}(\w+): <?([^<>:]+)(:\w+)?>?", line):
            relation, target, _ = match.groups()
            if target in names and target != package:
                found[relation].add((package, target))
    return found
