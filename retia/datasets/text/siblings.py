"""The datasets of a text-attributed graph: hidden edges, and labels of nodes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.datasets.assemble import Dataset, Origin
from retia.datasets.text.columns import (
    check_columns,
    column_name,
    degree_columns,
    edge_columns,
    group_column,
    id_table,
    task_name,
    text_columns,
)
from retia.datasets.text.encoders import Encoded, encode
from retia.datasets.text.fitted import JOINT, fitted_on
from retia.datasets.text.graph import UNLABELLED, Bools, Ints, Labels, TextGraph, TextRelation
from retia.datasets.text.inputs import Raw
from retia.datasets.text.options import SIBLINGS, TELLING, Sibling, TextOptions
from retia.protocol.groups import Grouping, NodeGroups, hide_by_pair
from retia.protocol.link_task import TaskTables, hide_edges, make_link_task
from retia.protocol.multilabel_task import make_multilabel_task
from retia.protocol.node_task import make_few_shot_task, make_node_task
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Encoding
from retia.shards.version import Version

HIDDEN = 0.2
MIN_EDGES = 100
MIN_CLASS = 5
TITLES: dict[Sibling, str] = {"link": "links", "node": "labels of nodes"}

Vectors = tuple[tuple[Encoding, NDArray[Any]], ...]


@dataclass(frozen=True)
class Job:
    """A graph that is ready, and all that the siblings share; encodings are made once an order."""

    raw: Raw
    options: TextOptions
    secret: bytes | None
    fit_on: Version | None = None
    encoded: dict[bytes, Vectors] = field(default_factory=dict)

    @property
    def asked(self) -> TextRelation | None:
        """The relation of which edges are hidden: the one that is named, or the largest."""
        graph = self.raw.graph
        if (name := self.options.ask or self.raw.ask) is not None:
            return graph.relation(name)
        return max(graph.relations, key=lambda one: len(one.pairs), default=None)


def link_dataset(job: Job) -> Dataset:
    """A fifth of the edges of one relation is hidden."""
    randomness = _randomness(job, "link")
    graph = _ordered(job, randomness)
    assert job.asked is not None
    asked = graph.relation(job.asked.name)
    mask, grouping = _hide(asked, randomness)
    relations, removed = _seen(graph, asked, mask)
    hidden = LinkGraph(
        graph.num_nodes,
        asked.directed,
        asked.pairs[~mask],
        asked.pairs[mask],
        grouping=grouping,
        context=_joined([one for one in relations if one.name != asked.name]),
    )
    reverse = " The reverse of a hidden edge is hidden too." if asked.directed else ""
    task = make_link_task(
        hidden,
        name=task_name(asked.name),
        relation=asked.name,
        description=f"Find the hidden {asked.name} edges.{reverse}",
        randomness=randomness,
        sealed=job.options.sealed == "link",
        workers=job.options.workers,
    )
    others = " Edges of other relations between its ends are left out." if removed else ""
    return _dataset(
        job,
        "link",
        randomness,
        replace(graph, relations=relations),
        about=f"A fifth of the {asked.name} edges is hidden.{others}",
        tasks=(task,),
        drawn={"hidden": HIDDEN, "ask": asked.name, "removed_with_hidden": removed},
    )


def node_dataset(job: Job) -> Dataset:
    """The whole graph; the labels of nodes are asked for."""
    randomness = _randomness(job, "node")
    graph = _ordered(job, randomness)
    usable = _usable(graph)
    tasks = [_node_task(job, graph, name, labels, randomness) for name, labels in usable.items()]
    if job.options.shots is not None:
        single = {name: labels for name, labels in usable.items() if not labels.multi}
        if not single:
            raise InputError(
                f"--shots draws nodes of one class each, and {job.options.name} has no such label; "
                "leave --shots out"
            )
        tasks += [_few_shots(job, name, labels, randomness) for name, labels in single.items()]
    names = [task.task.name for task in tasks]
    if again := [name for name in names if names.count(name) > 1]:
        raise InputError(f"two tasks would be called '{again[0]}'; rename a label")
    about = "The whole graph is visible."
    return _dataset(job, "node", randomness, graph, about=about, tasks=tuple(tasks), drawn={})


MAKERS: dict[Sibling, Callable[[Job], Dataset]] = {"link": link_dataset, "node": node_dataset}


def siblings_of(job: Job) -> tuple[Sibling, ...]:
    """The datasets that this graph gives; raises `InputError` where the wanted one is none."""
    wanted = job.options.only or job.options.sealed
    if wanted and (why := _lacks(job, wanted)):
        raise InputError(f"{job.options.name}-{wanted} cannot be built: {why}")
    if job.options.only:
        return (job.options.only,)
    found = tuple(sibling for sibling in SIBLINGS if not _lacks(job, sibling))
    if not found:
        reasons = "; ".join(str(_lacks(job, sibling)) for sibling in SIBLINGS)
        raise InputError(f"nothing can be built of {job.options.name}: {reasons}")
    return found


def _lacks(job: Job, sibling: Sibling) -> str | None:
    """Why a dataset cannot be made of this graph; none where it can."""
    if sibling == "node" and not job.raw.graph.labels:
        return "its nodes have no label; a table of your own names one with --label"
    if sibling == "node":
        why = f"no label has two classes of {MIN_CLASS} nodes"
        return None if _usable(job.raw.graph) else why
    if job.options.texts is not None:
        return TELLING
    if job.asked is None:
        return "it has no edges"
    if len(job.asked.pairs) < MIN_EDGES:
        return f"{len(job.asked.pairs)} {job.asked.name} edges; {MIN_EDGES} are needed"
    return None


def _hide(relation: TextRelation, randomness: Randomness) -> tuple[Bools, Grouping | None]:
    """A fifth of the edges; of a directed relation with their reverses."""
    rng = randomness.stream("hide", relation.name)
    if relation.directed:
        return hide_by_pair(relation.pairs, HIDDEN, rng)
    return hide_edges(len(relation.pairs), HIDDEN, rng), None


def _seen(
    graph: TextGraph, asked: TextRelation, hidden: Bools
) -> tuple[tuple[TextRelation, ...], int]:
    """The visible relations, and how many edges of others went with the hidden ones.

    An edge of another relation that joins the ends of a hidden one gives it away.
    """
    keys = _undirected_keys(asked.pairs[hidden], graph.num_nodes)
    relations, removed = [], 0
    for relation in graph.relations:
        if relation.name == asked.name:
            kept = ~hidden
        else:
            kept = ~np.isin(_undirected_keys(relation.pairs, graph.num_nodes), keys)
            removed += int((~kept).sum())
        text = None if relation.text is None else relation.text[kept]
        relations.append(replace(relation, pairs=relation.pairs[kept], text=text))
    return tuple(relations), removed


def _joined(relations: list[TextRelation]) -> Ints:
    """The pairs of all these relations, (E, 2)."""
    pairs = [relation.pairs for relation in relations]
    return np.concatenate([np.zeros((0, 2), dtype=np.int64), *pairs])


def _undirected_keys(pairs: Ints, num_nodes: int) -> Ints:
    low, high = np.sort(pairs, axis=1).T
    return np.asarray(low * num_nodes + high)


def _usable(graph: TextGraph) -> dict[str, Labels]:
    """The labels of which a task can be made, without classes that are rare."""
    common = {name: _common(labels) for name, labels in graph.labels.items()}
    return {name: labels for name, labels in common.items() if len(labels.classes) > 1}


def _common(labels: Labels) -> Labels:
    """The labels without classes of fewer than `MIN_CLASS` nodes."""
    if labels.multi:
        size = labels.values[labels.known].sum(axis=0)
    else:
        size = np.bincount(labels.values[labels.known], minlength=len(labels.classes))
    kept = np.flatnonzero(size >= MIN_CLASS)
    classes = tuple(labels.classes[place] for place in kept)
    if labels.multi:
        return replace(labels, classes=classes, values=labels.values[:, kept])
    number = np.full(len(labels.classes) + 1, UNLABELLED)
    number[kept] = np.arange(len(kept))
    return Labels(classes, number[labels.values])


def _node_task(
    job: Job, graph: TextGraph, name: str, labels: Labels, randomness: Randomness
) -> TaskTables:
    shared: dict[str, Any] = {
        "name": task_name(name),
        "label": column_name(name),
        "classes": labels.classes,
        "description": _asked_for(job, name, labels),
        "randomness": randomness,
        "sealed": job.options.sealed == "node",
        "grouping": _grouping(job, graph),
    }
    if labels.multi:
        return make_multilabel_task(labels.values.astype(bool), labels.known, **shared)
    return make_node_task(labels.values.astype(np.int64), **shared)


def _few_shots(job: Job, name: str, labels: Labels, randomness: Randomness) -> TaskTables:
    shots = job.options.shots
    assert shots is not None
    return make_few_shot_task(
        labels.values.astype(np.int64),
        shots=shots,
        name=f"{task_name(name)}-{shots}-shot",
        label=column_name(name),
        classes=labels.classes,
        description=f"{_asked_for(job, name, labels)} There are {shots} nodes of each class to "
        "learn from.",
        randomness=randomness,
    )


def _asked_for(job: Job, name: str, labels: Labels) -> str:
    about = job.raw.about_labels.get(name, f"Tell the {name} of a node.")
    if labels.multi:
        return f"{about} Classes that fewer than {MIN_CLASS} nodes have are left out."
    rest = f"Nodes without one, or of one that fewer than {MIN_CLASS} have, are in no part."
    return f"{about} {rest}"


def _grouping(job: Job, graph: TextGraph) -> NodeGroups | None:
    if (name := job.options.group) is None:
        return None
    return NodeGroups(graph.group_names(name), by=task_name(name), column=group_column(name))


def _randomness(job: Job, sibling: Sibling) -> Randomness:
    if job.secret is not None and job.options.sealed == sibling:
        return Randomness.from_secret(job.secret)
    return Randomness.from_seed(job.options.seed or 0)


def _ordered(job: Job, randomness: Randomness) -> TextGraph:
    """The graph with its nodes in random order."""
    order = randomness.stream("order").permutation(job.raw.graph.num_nodes)
    return job.raw.graph.reorder(order)


def _encodings(job: Job, graph: TextGraph, randomness: Randomness) -> Vectors:
    """The encodings of all texts of each node, joined; siblings in one order share them."""
    if not job.options.encodings:
        return ()
    if not graph.texts:
        raise InputError(f"{job.options.name} has no text to encode; leave --encoding out")
    if randomness.key not in job.encoded:
        texts = graph.joined_text().tolist()
        what = JOINT.join(column_name(name) for name in graph.texts)
        made: list[Encoded] = [
            encode(
                texts,
                spec,
                what=what,
                fit_on=fitted_on(job.fit_on, spec) if job.fit_on else None,
                randomness=randomness,
                workers=job.options.workers,
            )
            for spec in job.options.encodings
        ]
        job.encoded[randomness.key] = tuple((one.card, one.values) for one in made)
    return job.encoded[randomness.key]


def _dataset(
    job: Job,
    sibling: Sibling,
    randomness: Randomness,
    visible: TextGraph,
    *,
    about: str,
    tasks: tuple[TaskTables, ...],
    drawn: dict[str, Any],
) -> Dataset:
    options, raw = job.options, job.raw
    columns = (*text_columns(visible, raw.about_texts), *degree_columns(visible.relations))
    check_columns(columns)
    return Dataset(
        name=f"{options.name}-{sibling}",
        version=options.version,
        kind="text",
        title=f"{raw.title}, {TITLES[sibling]}",
        description=f"{raw.description} {about} Node order is random; the source's ids are in the "
        "table of ids.",
        license=raw.license,
        citation=raw.citation,
        homepage=raw.homepage,
        num_nodes=visible.num_nodes,
        relations=tuple(edge_columns(relation) for relation in visible.relations),
        columns=columns,
        ids=id_table(visible),
        tasks=tasks,
        origin=Origin(raw.builder, raw.sources, _parameters(job) | drawn),
        secret=job.secret if options.sealed == sibling else None,
        encodings=_encodings(job, visible, randomness),
    )


def _parameters(job: Job) -> dict[str, Any]:
    """What a rebuild needs, and what reading left out; a secret is not among it."""
    options = job.options
    seed = {"sealed": options.sealed} if options.sealed else {"seed": options.seed or 0}
    split: dict[str, Any] = {
        "split": options.split,
        "group": options.group,
        "encodings": list(options.encodings),
    }
    split |= {"shots": options.shots} if options.shots is not None else {}
    if job.fit_on is not None:
        manifest = job.fit_on.manifest
        split["fit_on"] = {"reference": manifest.reference, "digest": manifest.digest}
    return job.raw.parameters | seed | split | {"report": dict(job.raw.graph.report)}
