"""The datasets of a connectome: links, weights, labels of neurons, and what grows with age."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from retia.datasets.assemble import Dataset, EdgeColumns, NodeColumn, Origin, sort_pairs
from retia.datasets.connectome.columns import (
    given_columns,
    id_table,
    layer_features,
    orbit_column,
    relation,
    spectral_columns,
    weight_column,
)
from retia.datasets.connectome.graph import NONE, Connectome, Ints, Layer, Texts, find_rows
from retia.datasets.connectome.inputs import Raw, merge
from retia.datasets.connectome.options import SIBLINGS, ConnectomeOptions, Sibling
from retia.datasets.connectome.roles import ENRICHED, ROLES, motif_roles
from retia.protocol.edge_task import make_edge_regression_task
from retia.protocol.groups import (
    Grouping,
    Hemispheres,
    Homologs,
    hide_by_homolog,
    hide_by_pair,
    hide_in_hemisphere,
)
from retia.protocol.link_task import TaskTables, hide_edges, make_link_task
from retia.protocol.node_task import make_node_task
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Column

HIDDEN = 0.2
MAIN = "chemical"
GAP = "gap"
MIN_EDGES = 100
MIN_CLASS = 5
TITLES: dict[Sibling, str] = {
    "link": "links",
    "weight": "weights of connections",
    "node": "labels of neurons",
    "stage": "connections of the next stage",
}
SPLITS = {
    "random": "",
    "pair": " Both directions of a mutual pair are visible, or hidden in one part.",
    "homolog": " A connection, its mirror between the homologs and the reverses of both are "
    "visible, or hidden in one part.",
    "hemisphere": " What is asked lies in the right hemisphere; connections within the left one "
    "are to be learned from.",
}


@dataclass(frozen=True)
class Job:
    """A connectome that is ready, and all that the siblings share."""

    raw: Raw
    options: ConnectomeOptions
    secret: bytes | None

    @property
    def main(self) -> Layer:
        """The layer of chemical connections, or the first where none is called so."""
        return main_layer(self.raw.connectome)


@dataclass(frozen=True)
class Hidden:
    """A layer of which some connections are asked for: their mask (E,), and their groups."""

    layer: Layer
    mask: Any
    grouping: Grouping | None

    def graph(self, connectome: Connectome) -> LinkGraph:
        """The layer as a graph of visible and hidden edges, in space where it has positions."""
        pairs = self.layer.pairs
        return LinkGraph(
            connectome.num_nodes,
            self.layer.directed,
            pairs[~self.mask],
            pairs[self.mask],
            connectome.position,
            grouping=self.grouping,
        )


def main_layer(connectome: Connectome) -> Layer:
    """The layer of chemical connections, or the first where none is called so."""
    named = [layer for layer in connectome.layers if layer.name == MAIN]
    return (named or connectome.layers)[0]


def link_dataset(job: Job) -> Dataset:
    """A fifth of the chemical connections and of the gap junctions is hidden in one graph."""
    randomness, connectome = _ordered(job, "link")
    hidden = [_hide(job, connectome, layer, randomness) for layer in _asked(connectome)]
    masks = {one.layer.name: one.mask for one in hidden}
    layers = tuple(_seen(layer, masks.get(layer.name)) for layer in connectome.layers)
    tasks = tuple(
        make_link_task(
            one.graph(connectome),
            name=one.layer.name,
            relation=one.layer.name,
            description=f"Find the hidden {one.layer.name} connections: which neuron is connected "
            f"with which.{_about_reverse(one)}",
            randomness=randomness,
            sealed=job.options.sealed == "link",
            workers=job.options.workers,
            crowded=True,
        )
        for one in hidden
    )
    names = " and of the ".join(f"{one.layer.name} connections" for one in hidden)
    return _dataset(
        job,
        "link",
        replace(connectome, layers=layers),
        about=f"A fifth of the {names} is hidden.{SPLITS[job.options.split]}",
        tasks=tasks,
        orbits=True,
    )


def weight_dataset(job: Job) -> Dataset:
    """All connections are visible; the weight of a fifth of the chemical ones is asked for."""
    randomness, connectome = _ordered(job, "weight")
    main = main_layer(connectome)
    hidden = _hide(job, connectome, main, randomness)
    labels = np.log1p(main.weight)
    task = make_edge_regression_task(
        hidden.graph(connectome),
        labels[~hidden.mask],
        labels[hidden.mask],
        name="weight",
        relation=main.name,
        column="weight",
        description=f"Tell log(1 + weight) of the {main.name} connections whose weight is hidden.",
        randomness=randomness,
        sealed=job.options.sealed == "weight",
    )
    shown = EdgeColumns(
        main.name,
        main.directed,
        main.pairs,
        ((weight_column(main.unit), np.where(hidden.mask, np.nan, main.weight)),),
    )
    return _dataset(
        job,
        "weight",
        connectome,
        about=f"All connections are visible; the weight of a fifth of the {main.name} ones is "
        f"hidden, and counts as 0 in the features.{SPLITS[job.options.split]}",
        tasks=(task,),
        orbits=True,
        shown={main.name: shown},
    )


def node_dataset(job: Job) -> Dataset:
    """The whole graph; class, transmitter and motif role of a neuron are asked for.

    Orbits are no features here: the role is computed from them.
    """
    randomness, connectome = _ordered(job, "node")
    grouping = _node_grouping(job, connectome)
    sealed = job.options.sealed == "node"
    tasks = []
    for name, (labels, classes, description) in _labels(job, connectome).items():
        open_to_all = name == "motif-role"
        tasks.append(
            make_node_task(
                labels,
                name=name,
                label=name.replace("-", "_"),
                classes=classes,
                description=description,
                randomness=randomness,
                sealed=sealed and not open_to_all,
                grouping=grouping,
            )
        )
    return _dataset(
        job,
        "node",
        connectome,
        about="The whole graph is visible.",
        tasks=tuple(tasks),
        orbits=False,
    )


def stage_dataset(job: Job) -> Dataset:
    """What the younger animals have is visible; what only older ones have is asked for."""
    randomness = _randomness(job, "stage")
    order = randomness.stream("order").permutation(job.raw.connectome.num_nodes)
    animals = [animal.reorder(order) for animal in job.raw.earlier]
    young, old = merge(animals), job.raw.connectome.reorder(order)
    main = main_layer(young)
    size = young.num_nodes
    grown = old.layer(main.name).pairs
    new = grown[~np.isin(_keys(grown, size), _keys(main.pairs, size))]
    task = make_link_task(
        LinkGraph(size, main.directed, main.pairs, new, young.position),
        name=main.name,
        relation=main.name,
        description=f"Find the {main.name} connections that grow: an older animal has them, and "
        "no younger one does.",
        randomness=randomness,
        sealed=job.options.sealed == "stage",
        workers=job.options.workers,
        crowded=True,
    )
    shown = {layer.name: _shared(layer, animals) for layer in young.layers}
    return _dataset(
        job,
        "stage",
        young,
        about=f"The connections of {len(animals)} younger animals are visible, each with its mean "
        "weight over them; asked for are those that an older one has and no younger one.",
        tasks=(task,),
        orbits=True,
        shown=shown,
    )


MAKERS: dict[Sibling, Callable[[Job], Dataset]] = {
    "link": link_dataset,
    "weight": weight_dataset,
    "node": node_dataset,
    "stage": stage_dataset,
}


def siblings_of(job: Job) -> tuple[Sibling, ...]:
    """The datasets that this connectome gives; raises `InputError` where the wanted one is none."""
    wanted = job.options.only or job.options.sealed
    if wanted and (why := _lacks(job, wanted)):
        raise InputError(f"{job.options.name}-{wanted} cannot be built: {why}")
    if job.options.only:
        return (job.options.only,)
    found = tuple(sibling for sibling in SIBLINGS if not _lacks(job, sibling))
    if not found:
        reasons = "; ".join(str(_lacks(job, sibling)) for sibling in SIBLINGS[:-1])
        raise InputError(f"nothing can be built of {job.options.name}: {reasons}")
    return found


def _lacks(job: Job, sibling: Sibling) -> str | None:
    """Why a dataset cannot be made of this connectome; none where it can."""
    if sibling == "stage":
        return None if job.raw.earlier else "its source has no animals of different age"
    if job.raw.earlier:
        return "its source is several animals; build one of them"
    if sibling == "node":
        found = _labels(job, job.raw.connectome)
        return None if found else f"no label has two classes of {MIN_CLASS} neurons"
    if len(job.main.pairs) < MIN_EDGES:
        return f"{len(job.main.pairs)} {job.main.name} connections; {MIN_EDGES} are needed"
    if sibling == "weight" and len(np.unique(job.main.weight)) < 2:
        return "all weights are equal"
    return None


def _asked(connectome: Connectome) -> list[Layer]:
    """The layers with a task: the main one, and gap junctions where there are enough."""
    main = main_layer(connectome)
    others = [layer for layer in connectome.layers if layer.name == GAP and layer is not main]
    return [main, *(layer for layer in others if len(layer.pairs) >= MIN_EDGES)]


def _hide(job: Job, connectome: Connectome, layer: Layer, randomness: Randomness) -> Hidden:
    """A fifth of a layer, drawn as the split says."""
    rng = randomness.stream("hide", layer.name)
    match job.options.split:
        case "random":
            return Hidden(layer, hide_edges(len(layer.pairs), HIDDEN, rng), None)
        case "pair":
            return Hidden(layer, *hide_by_pair(layer.pairs, HIDDEN, rng))
        case "homolog":
            homologs = _homologs(connectome)
            return Hidden(layer, *hide_by_homolog(layer.pairs, homologs, HIDDEN, rng))
        case "hemisphere":
            sides = _hemispheres(connectome)
            return Hidden(layer, *hide_in_hemisphere(layer.pairs, sides, HIDDEN, rng))


def _node_grouping(job: Job, connectome: Connectome) -> Homologs | Hemispheres | None:
    if job.options.split == "homolog":
        return _homologs(connectome)
    return _hemispheres(connectome) if job.options.split == "hemisphere" else None


def _homologs(connectome: Connectome) -> Homologs:
    if connectome.homolog is None or not (connectome.homolog != NONE).any():
        raise InputError("--split homolog: this source tells no homologs")
    return Homologs(connectome.homolog)


def _hemispheres(connectome: Connectome) -> Hemispheres:
    if connectome.side is None or not {"left", "right"} <= set(connectome.side.tolist()):
        raise InputError("--split hemisphere: this source does not tell left from right")
    return Hemispheres(connectome.side)


def _seen(layer: Layer, hidden: Any | None) -> Layer:
    """The visible connections of a layer."""
    if hidden is None:
        return layer
    return replace(layer, pairs=layer.pairs[~hidden], weight=layer.weight[~hidden])


def _about_reverse(hidden: Hidden) -> str:
    if not hidden.layer.directed:
        return " A connection has no direction and stands once."
    if hidden.grouping is not None and hidden.grouping.by in ("pair", "homolog"):
        return " The reverse of a hidden connection is hidden too, where there is one."
    return " The reverse of a hidden connection may be visible."


def _labels(job: Job, connectome: Connectome) -> dict[str, tuple[Ints, tuple[str, ...], str]]:
    """Of each task of neurons the labels (n,), -1 for none, the classes, and what is asked."""
    found = {}
    unlabelled = f"Neurons without one, or of one that fewer than {MIN_CLASS} have, are in no part."
    for name, texts, order, about in (
        ("class", connectome.cell_class, job.raw.classes, "Tell the class of a neuron."),
        ("transmitter", connectome.transmitter, (), "Tell what transmitter a neuron releases."),
    ):
        if texts is not None:
            found[name] = (*_classes(texts, order), f"{about} {unlabelled}")
    main = main_layer(connectome)
    if main.directed:
        roles = motif_roles(main, connectome.num_nodes)
        texts = np.array([*ROLES, ""])[roles]
        found["motif-role"] = (
            *_classes(texts, ROLES),
            "An algorithmic label, which the visible graph tells to whoever computes it: whether a "
            "neuron is the source, the relay or the sink of feed-forward loops, or a partner in "
            "reciprocal pairs, more often than its degree lets expect (z of "
            f"{ENRICHED:g} or more), and which of these most. Orbit counts are no features here, "
            "since it is computed from them.",
        )
    return {name: task for name, task in found.items() if len(task[1]) > 1}


def _classes(texts: Texts, order: tuple[str, ...]) -> tuple[Ints, tuple[str, ...]]:
    """(n,) the class of each neuron, -1 for none or a rare one, and the names of the classes."""
    names, count = np.unique(texts[texts != ""], return_counts=True)
    common = names[count >= MIN_CLASS].tolist()
    ranked = [name for name in order if name in common]
    classes = (*ranked, *(name for name in common if name not in ranked))
    if not classes:
        return np.full(len(texts), NONE), ()
    return find_rows(np.array(classes), texts), classes


def _shared(layer: Layer, animals: list[Connectome]) -> EdgeColumns:
    """The connections of a layer, their mean weight, and in how many animals each stands."""
    size = animals[0].num_nodes
    keys = _keys(layer.pairs, size)
    animal_keys = [_keys(animal.layer(layer.name).pairs, size) for animal in animals]
    count = np.sum([np.isin(keys, found) for found in animal_keys], axis=0)
    column = Column(
        name="animals",
        dtype="int8",
        description="number of the younger animals that have the connection",
        role="feature",
    )
    shown = relation(layer)
    return replace(shown, columns=(*shown.columns, (column, count)))


def _keys(pairs: Ints, num_nodes: int) -> Ints:
    return np.asarray(pairs[:, 0] * num_nodes + pairs[:, 1])


def _ordered(job: Job, sibling: Sibling) -> tuple[Randomness, Connectome]:
    """The randomness of a sibling, and the connectome with its neurons in random order."""
    randomness = _randomness(job, sibling)
    order = randomness.stream("order").permutation(job.raw.connectome.num_nodes)
    return randomness, job.raw.connectome.reorder(order)


def _randomness(job: Job, sibling: Sibling) -> Randomness:
    """The secret's for the sealed sibling; an open one is drawn from the seed."""
    if job.secret and job.options.sealed == sibling:
        return Randomness.from_secret(job.secret)
    return Randomness.from_seed(job.options.seed or 0)


def _dataset(
    job: Job,
    sibling: Sibling,
    visible: Connectome,
    *,
    about: str,
    tasks: tuple[TaskTables, ...],
    orbits: bool,
    shown: dict[str, EdgeColumns] | None = None,
) -> Dataset:
    """The dataset of a visible graph; `shown` are relations that are not just layers of it."""
    options, raw = job.options, job.raw
    main = main_layer(visible)
    columns: tuple[NodeColumn, ...] = layer_features(visible.layers)
    columns += (orbit_column(main),) if orbits else ()
    columns += spectral_columns(main, visible.num_nodes)
    relations = {layer.name: relation(layer) for layer in visible.layers} | (shown or {})
    return Dataset(
        name=f"{options.name}-{sibling}",
        version=options.version,
        kind="connectome",
        title=f"{raw.title}, {TITLES[sibling]}",
        description=f"{raw.description} {about} Node order is random; names are in the table of "
        "ids.",
        license=raw.license,
        citation=raw.citation,
        homepage=raw.homepage,
        num_nodes=visible.num_nodes,
        relations=tuple(_sorted(one) for one in relations.values()),
        columns=(*columns, *given_columns(visible, side=sibling == "node")),
        ids=id_table(visible),
        tasks=tasks,
        origin=Origin(raw.builder, raw.sources, _parameters(job, sibling), raw.synthetic),
        secret=job.secret if options.sealed == sibling else None,
    )


def _sorted(shown: EdgeColumns) -> EdgeColumns:
    order = sort_pairs(shown.pairs)
    columns = tuple((column, values[order]) for column, values in shown.columns)
    return replace(shown, pairs=shown.pairs[order], columns=columns)


def _parameters(job: Job, sibling: Sibling) -> dict[str, Any]:
    """What a rebuild needs, and what reading left out; a secret is not among it."""
    options = job.options
    drawn = {"sealed": options.sealed} if options.sealed else {"seed": options.seed or 0}
    kept = {"min_weight": options.min_weight, "layers": list(options.layers)}
    split = {} if sibling == "stage" else {"split": options.split}
    hidden = {"hidden": HIDDEN} if sibling in ("link", "weight") else {}
    report = {"report": dict(job.raw.connectome.report)}
    return job.raw.parameters | drawn | kept | split | hidden | report
