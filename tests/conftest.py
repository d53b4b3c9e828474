"""What all tests share."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings

from tests.databases import database, database_url

__all__ = ["database", "database_url"]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NO_DATA = "test data is not here"
NO_GPU = "no GPU on this machine"

settings.register_profile("retia", deadline=None)  # a busy machine is no failure
settings.load_profile("retia")

R = TypeVar("R", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test may be skipped for want of test data or of a GPU, and for no other reason."""
    return _refuse_skips((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Nor may a whole file be."""
    return _refuse_skips((yield))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of test data, beside the checkout."""
    if not DATA.is_dir():
        pytest.skip(NO_DATA)
    return DATA


def _refuse_skips(report: R) -> R:
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr)
        if not any(allowed in reason for allowed in (NO_DATA, NO_GPU)):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"
    return report
