"""A broker process for each test, and the programs of an example beside it."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

from example_programs import Example, LiveBroker, build
from live_broker import check_client_is_built


@pytest.fixture(scope="session")
def compiled() -> None:
    check_client_is_built()
    build()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LiveBroker]:
    """Started; a test may stop and start it again."""
    broker = LiveBroker(tmp_path / "data", tmp_path / "broker.log")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def example(compiled: None, broker: LiveBroker, tmp_path: Path) -> Iterator[Example]:
    """Starts programs: ``example.start("orders/payments.js")``."""
    example = Example(broker, tmp_path)
    yield example
    example.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the programs said last."""
    report = yield
    example = getattr(item, "funcargs", {}).get("example")
    if report.failed and isinstance(example, Example):
        report.sections += [(f"said by {name}", said) for name, said in example.logs()]
    return report
