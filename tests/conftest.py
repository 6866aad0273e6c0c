"""What all tests share: the real data beside the project, and the rule that nothing is skipped where it must run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

SHARED = Path(__file__).parents[2] / "shared"

# Time limits per example fail at random on a busy machine; `timeout` in pyproject.toml stops what hangs.
settings.register_profile("hexakota", deadline=None)
settings.load_profile("hexakota")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function that gives a file of the real data, or skips the test, naming the file."""

    def find(name: str) -> Path:
        path = SHARED / "data" / name
        if not path.exists():
            pytest.skip(f"no ../shared/data/{name} beside the project")
        return path

    return find


@pytest.fixture(scope="session")
def postgis() -> Iterator[str]:
    """Address of a database with PostGIS that only these tests use, for a role that owns nothing else in it."""
    from tests.postgis import binaries, running_postgis

    found = binaries()
    if found is None:
        pytest.skip("no PostgreSQL with PostGIS; `make test-system` installs it")
    with running_postgis(found) as url:
        yield url


def _forbidden_skips(config: pytest.Config) -> list[str]:
    """Tests and modules that were skipped, with the reason, where HEXAKOTA_REQUIRE_EXTRAS=1 allows none."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("HEXAKOTA_REQUIRE_EXTRAS") != "1" or reporter is None:
        return []
    skipped = reporter.stats.get("skipped", [])
    return [f"{r.nodeid}: {r.longrepr[2] if isinstance(r.longrepr, tuple) else r.longrepr}" for r in skipped]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session that skipped a test although the extras were installed for it."""
    if session.exitstatus == pytest.ExitCode.OK and _forbidden_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped; pytest's own closing line stays the last."""
    if skipped := _forbidden_skips(terminalreporter.config):
        terminalreporter.section("skipped although HEXAKOTA_REQUIRE_EXTRAS=1", red=True)
        terminalreporter.line("\n".join(skipped))
