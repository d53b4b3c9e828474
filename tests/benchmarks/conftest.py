from pathlib import Path

import pytest

from retia.shards.version import Version
from tests.toys import toy_link, toy_node


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def communities(data: Path) -> Version:
    return toy_link(data)


@pytest.fixture(scope="session")
def spatial(data: Path) -> Version:
    return toy_link(data, spatial=True, num_nodes=200, name="toy-spatial")


@pytest.fixture(scope="session")
def sealed(data: Path) -> Version:
    return toy_link(data, sealed=True, name="toy-sealed")


@pytest.fixture(scope="session")
def colours(data: Path) -> Version:
    return toy_node(data)
