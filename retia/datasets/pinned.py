"""Pinned sources: what may be fetched, from where, under which licence and sha256.

Nothing else is ever downloaded, and this only on a user's command.
"""

from retia.datasets.sources import PinnedSource, RecordedArchive, WheelMembers
from retia.shards.errors import NotFoundError

LRZ = "https://syncandshare.lrz.de/dl"
VESSELGRAPH = "https://github.com/jocpae/VesselGraph"
VESSELGRAPH_FILES = {
    "balbc-no1": "fiWxG4k3jRhLNGmW7RHddvKY/BALBc_no1_raw.zip",
    "balbc-no2": "fiCWEj5mnuwDkgbjww6CAbF4/BALBc_no2_raw.zip",
    "balbc-no3": "fiBNTpDbmMQoTx6qpoieATMh/BALBc_no3_raw.zip",
    "c57bl6-no1": "fiToWvNWjmf2165TtStGWG3a/C57BL_6_no1_raw.zip",
    "c57bl6-no2": "fiTs8xQM7yGuD4dSc4uvEWa4/C57BL_6_no2_raw.zip",
    "c57bl6-no3": "fiAmLSy2j5CePwoWcZhZc6Hz/C57BL_6_no3_raw.zip",
    "cd1e-no1": "fiSDag6MmmdUqhNmZAMgMb2U/CD1-E_no1_raw.zip",
    "cd1e-no2": "fiVtFCYtugvPwvvCSSfWPFzc/CD1-E_no2_raw.zip",
    "cd1e-no3": "fiMCHhkfr33bFxr2guDWtYYL/CD1-E_no3_raw.zip",
    "c57bl6-k18": "fi8ZViiaHhwJhyvHCGbVV47y/C57BL_6-K18_raw.zip",
    "c57bl6-k19": "fi3RtXSK4pUMks59HF6oPGWm/C57BL_6-K19_raw.zip",
    "c57bl6-k20": "fiNyBFDHxYwG4ZXW8iSK5W56/C57BL_6-K20_raw.zip",
    "synthetic-1": "fiBRoY7z2c3YbgVMXfs5nnUc/synthetic_graph_1_raw.zip",
    "synthetic-2": "fiR9Ktp26Zqhv23gmUBkzg5N/synthetic_graph_2_raw.zip",
    "synthetic-3": "fi6gyGJ9Btx5U2AKzoegyscn/synthetic_graph_3_raw.zip",
    "synthetic-4": "fi7ZSVgucX2jyn9hBRtnwPKa/synthetic_graph_4_raw.zip",
    "synthetic-5": "fiFfcKCNE2uK3d5CJ8wxBMo8/synthetic_graph_5_raw.zip",
}
"""Voreen's tables of brains and of synthetic graphs, as the README of VesselGraph links them."""

CECT_CELLS = (
    (
        "cect/data/all_cell_info.csv",
        "63c6fc5f55c90df092b24afe1cbfc96da63f577288e74621d6395fc195e6221d",
    ),
    (
        "cect/data/elife-95402-supp2-v1.xlsx",
        "0013e4b5f366b82a6b0ec0d682c3bace4027545c957823841293de93feafc0e2",
    ),
)
"""Of each cell of the worm its type, and its transmitter after Wang et al. 2024."""


def _cect(reader: str, sha256: str) -> WheelMembers:
    """A connectome of the worm, and what is known of its cells, from the package cect."""
    return WheelMembers(
        package="cect",
        version="0.3.5",
        sha256="ea47f7a6b0d69a8d0bd3b0ade4037b7cc32d31ad0449f823d7ec153d6fd25057",
        members=((f"cect/cache/{reader}.json", sha256), *CECT_CELLS),
        license="MIT",
    )


SOURCES: dict[str, PinnedSource] = {
    "cook2019-hermaphrodite": _cect(
        "Cook2019HermReader", "98bdafffce1341d3443a83066a6225a977c8218c28c27d69e4bd465782bd4cc8"
    ),
    "varshney2011": _cect(
        "VarshneyDataReader", "da9a971f3d4c34b394dd3839dc3e3c8a73634d7f193680caaff11d0fc2a6086e"
    ),
    "witvliet2021-1": _cect(
        "WitvlietDataReader1", "2656a6c34944bb84f1b8eed8ec5666016fbfd0b8d8db02bb160746c5afa02687"
    ),
    "witvliet2021-2": _cect(
        "WitvlietDataReader2", "ac972ce70e6a569d7c120f66dae535e20527293c1463f366fbe3e6fe44345d90"
    ),
    "witvliet2021-3": _cect(
        "WitvlietDataReader3", "e7c1b023c18402037b4499956642721126b946ff516024de19335855183c89d3"
    ),
    "witvliet2021-4": _cect(
        "WitvlietDataReader4", "8e6b5ca9afcaf58834aacc74cb9784a634947b2eed5238395e281f2cae4e680c"
    ),
    "witvliet2021-5": _cect(
        "WitvlietDataReader5", "34511bf183edecb2ed9109b17b5b33499dbc6556637fa265008a13e0ce517e7d"
    ),
    "witvliet2021-6": _cect(
        "WitvlietDataReader6", "e3b73f6e976e37d737ae5530933eb2d7f8e8fe80ca0b554116136ad2da1319eb"
    ),
    "witvliet2021-7": _cect(
        "WitvlietDataReader7", "aeff178edcc14f5e818f6c54a138bffcfd5aab27dd8153e2906de1fd6cd8669f"
    ),
    "witvliet2021-8": _cect(
        "WitvlietDataReader8", "3d2de8dc9e23f663d074dfbb2371367d64ec64ebc8469234e4f14ef78d539ad7"
    ),
    **{
        f"vesselgraph-{name}": RecordedArchive(f"{LRZ}/{key}", "CC-BY-NC-4.0", VESSELGRAPH)
        for name, key in VESSELGRAPH_FILES.items()
    },
}


def find_source(name: str) -> PinnedSource:
    """The pinned source of that name; raises `NotFoundError`."""
    if name not in SOURCES:
        raise NotFoundError(f"no source '{name}'; there are: {', '.join(sorted(SOURCES))}")
    return SOURCES[name]
