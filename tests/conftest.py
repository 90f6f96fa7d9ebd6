"""How the suite runs: whole networks, and tools that take long, wait for ``--whole``, which CI gives; what
takes minutes waits for ``--long``; what shares a fixture runs in one process.
"""

from __future__ import annotations

import pytest
import torch

from hotnas_hls.base import tools

SHARED_SCOPES = {"module", "package"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="also the tests marked whole, as CI does (30 min)")
    parser.addoption("--long", action="store_true", help="also the tests marked long (an hour in all)")
    parser.addoption("--update-golden", action="store_true", help="take what is generated as what is meant")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--whole"):  # first what takes long: no process waits at the end
        items.sort(key=lambda item: item.get_closest_marker("whole") is None)
    for item in items:
        if not config.getoption("--long"):
            for mark in item.iter_markers("long"):
                item.add_marker(pytest.mark.skip(reason=f"{mark.args[0]}; pytest --long runs it"))
        if not config.getoption("--whole") and item.get_closest_marker("whole"):
            item.add_marker(pytest.mark.skip(reason="a whole network or tool; pytest --whole runs it"))
        if item.get_closest_marker("xdist_group") is None and shares_a_fixture(item):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """In a process of pytest-xdist: groups are honoured, or every process builds all that is shared."""
    if getattr(session.config.option, "loadgroup", False):
        for item in session.items:
            if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
                raise pytest.UsageError("this pytest takes no notice of xdist_group: install pytest<9.2")


@pytest.fixture(autouse=True)
def no_bambu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on most machines: a simulation does not spend minutes in it because it happens to be there."""
    monkeypatch.setattr(tools, "BAMBU_FOLDER", "/nowhere")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """What a test draws of torch does not depend on which tests ran before it in its process."""
    torch.manual_seed(0)


def shares_a_fixture(item: pytest.Item) -> bool:
    """Whether a test uses what is made once a module: spread over processes, each would make its own."""
    assert isinstance(item, pytest.Function)
    definitions = item._fixtureinfo.name2fixturedefs.values()
    return any(found[-1].scope in SHARED_SCOPES for found in definitions if found)
