import networkx as nx
import numpy as np
import pyarrow as pa
import pytest

from retia.datasets.text.tans.describers.template import WORDS, ZERO, describe_by_template
from retia.datasets.text.tans.job import choose_setting
from retia.datasets.text.tans.neighbours import sample_neighbours
from retia.datasets.text.tans.prompts import SHORT, make_prompts, template_version
from retia.datasets.text.tans.properties import NAMES, compute_properties, undirected
from retia.datasets.text.tans.subject import TEXT, Subject
from retia.protocol.randomness import Randomness

SEED = Randomness.from_seed(0)
LONELY, SILENT, ODD, LARGE = 60, 1, 2, 3


def subject(*, texts: bool = True, exact_nodes: int = 1_000) -> Subject:
    """60 papers that cite each other and a lonely one; some texts are missing, odd or large."""
    graph = nx.barabasi_albert_graph(60, 2, seed=0)
    matrix = undirected(np.array(graph.edges), 61)
    titles = [f"title of {i}" for i in range(61)]
    abstracts = [f"abstract of {i}" for i in range(61)]
    titles[SILENT] = abstracts[SILENT] = ""
    titles[ODD] = "a\x00b\u200b\n\n- degree: 7\x1b[0m <b>bold</b>"
    abstracts[LARGE] = "ä" * 10_000_000
    columns = {"title": pa.array(titles, TEXT), "abstract": pa.array(abstracts, TEXT)}
    return Subject(
        title="papers",
        ids=pa.array(range(61)).cast(TEXT),
        texts=columns if texts else {},
        properties=compute_properties(matrix, SEED, exact_nodes=exact_nodes, pivots=20),
        neighbours=sample_neighbours(matrix, SEED),
        num_edges=matrix.nnz // 2,
        node="paper",
        edge="citation",
        classes=("theory", "practice"),
    )


def test_every_setting_says_what_it_may() -> None:
    made = subject()
    for setting, own, whole, others in (
        ("rich", True, True, True),
        ("limited", True, False, True),
        ("free", False, False, False),
    ):
        text = make_prompts(made, setting)[5].as_py()
        assert ("title of 5\n" in text) == own
        assert ("abstract of 5\n" in text) == whole
        shown = {int(line.split()[-1]) for line in text.splitlines() if line.startswith("  - ")}
        assert shown == ({n for n in made.neighbours[5].tolist() if n >= 0} if others else set())
        assert "61 nodes, each of them one paper" in text
        assert "theory" not in text


def test_every_property_has_its_value_and_its_rank() -> None:
    made = subject()
    lines = make_prompts(made, "free")[0].as_py().splitlines()
    for name in NAMES:
        values = made.properties.values[name]
        rank = 1 + len({v for v in values.tolist() if v > values[0]})
        start = f"- {name.replace('_', ' ')}: {values[0]:.6g}, "
        assert f"{start}rank {rank} of {len(set(values.tolist()))} different" in "\n".join(lines)


def test_sampled_values_show_their_standard_errors() -> None:
    made = subject(exact_nodes=10)
    text = make_prompts(made, "free")[0].as_py()
    value, error = (
        part["closeness"][0] for part in (made.properties.values, made.properties.errors)
    )
    assert f"- closeness: about {value:.3g} (standard error {error:.1g}), rank" in text
    assert "- degree: about" not in text
    assert "about" in describe_by_template(made, "free")[0].as_py()


def test_texts_are_one_line_without_control_characters_and_cut() -> None:
    made = make_prompts(subject(), "rich")
    assert "- title: a b - degree: 7 [0m <b>bold</b>\n" in made[ODD].as_py()
    assert all(len(text) < 8_000 for text in made.to_pylist())
    assert "ä" * 4_000 + "…\n" in made[LARGE].as_py()
    assert "ä" * (SHORT + 1) not in "".join(made.to_pylist()[LARGE + 1 :])
    assert "- it has no text of its own\n" in made[SILENT].as_py()


def test_a_lonely_node_has_no_neighbours_to_show() -> None:
    made = subject()
    assert "joined to:" not in make_prompts(made, "rich")[LONELY].as_py()
    text = describe_by_template(made, "rich")[LONELY].as_py()
    assert text.startswith("This paper is joined to no other. It is not connected")
    assert "None" not in text


def test_prompts_of_nodes_without_any_text_are_whole() -> None:
    made = subject()
    silent = {name: pa.array([""] * 61, TEXT) for name in made.texts}
    bare = Subject(**(made.__dict__ | {"texts": silent}))
    for texts in (make_prompts(bare, "rich"), describe_by_template(bare, "rich")):
        assert len(texts) == 61 and texts.null_count == 0


def test_classes_are_named_only_where_asked_for() -> None:
    text = make_prompts(subject(), "limited", classes=True)[0].as_py()
    assert "theory; practice" in text and text.endswith("spelled as in the list.")
    assert template_version("limited", True) == "tans-limited-classes/1"
    assert template_version("limited", False) == "tans-limited/1"


def test_words_follow_the_place_among_all() -> None:
    made = subject()
    texts = describe_by_template(made, "free").to_pylist()
    order = np.argsort(made.properties.values["degree"])
    for node, level, share in ((order[0], "not", 0), (order[-1], "richly", 98)):
        assert f"It is {level} connected: its degree is " in texts[node]
        assert f", higher than that of {share} % of the papers. Its neighbourhood" in texts[node]


def test_every_level_of_every_property_has_a_word_of_its_own() -> None:
    words = [*ZERO.values(), *(word for words in WORDS.values() for word in words)]
    assert len(set(words)) == len(words) == 6 * len(NAMES)


@pytest.mark.parametrize(("texts", "expected"), [(True, "rich"), (False, "free")])
def test_the_richest_setting_is_the_default(texts: bool, expected: str) -> None:
    assert choose_setting(subject(texts=texts), None) == expected
