"""What all tests share."""

import os
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NO_DATA = "test data is not here"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """In CI a test may be skipped for want of test data, and for no other reason."""
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr)
        if NO_DATA not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of test data, beside the checkout."""
    if not DATA.is_dir():
        pytest.skip(NO_DATA)
    return DATA
