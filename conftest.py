"""How the tests of all folders run: what is read once for all of them, and how xdist's workers share them."""

from __future__ import annotations

import functools

import hypothesis
import pytest
from botocore.loaders import JSONFileLoader, Loader
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

from tests.pacing import pacing, workers

# Each session looks for its services and reads their models anew, for a tenth of a second; and a test has sessions of its own.
_models = functools.cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda _, path: _models(path)
_listed, _services = Loader.list_available_services, dict[tuple[str, ...], list[str]]()


def _services_of(loader: Loader, type_name: str) -> list[str]:
    where = (type_name, *loader.search_paths)
    if where not in _services:
        _services[where] = _listed(loader, type_name)
    return _services[where]


Loader.list_available_services = _services_of


hypothesis.settings.register_profile("shared machine", deadline=None)  # how long an example takes says nothing there
hypothesis.settings.load_profile("shared machine")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(pacing(), "pacing")


def pytest_xdist_auto_num_workers() -> int:
    return workers()


class CrashProofScheduling(LoadGroupScheduling):
    """One that crashes, or is ended by its timeout, costs its own test and no other.

    xdist 3.8 gives the test that crashed to the next worker, which crashes too, and lets one with a single test wait for more.
    """

    def remove_node(self, node: WorkerController) -> str | None:
        workload = self.assigned_work.pop(node)
        left = [(unit, test) for unit in workload.values() for test, done in unit.items() if not done]
        if not left:
            return None
        unit, crashed = left[0]
        unit[crashed] = True
        self.workqueue.update({scope: unit for scope, unit in workload.items() if not all(unit.values())})
        for other in self.nodes:
            self._reschedule(other)
        return crashed

    def _reschedule(self, node: WorkerController) -> None:
        """One that follows a crashed worker has work only once it has told what it has collected."""
        if node in self.registered_collections:
            super()._reschedule(node)

    def schedule(self) -> None:
        super().schedule()
        if not self.workqueue:
            for node in self.nodes:
                node.shutdown()


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> CrashProofScheduling | None:
    config.option.loadscopereorder = False  # the order is that of the collection, which knows how long the tests may take
    return CrashProofScheduling(config, log) if config.getoption("dist") == "loadgroup" else None
