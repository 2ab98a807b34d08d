"""The organize conformance suite over warehouses that are there: a cluster by temporary credentials, a workgroup by a secret."""

from __future__ import annotations

import pytest

from shared_metadata import naming
from slices.organize.redshift.tests import test_conformance as managed

pytestmark = pytest.mark.repeats(24)


class TestCluster(managed.TestConformance):
    options, warehouse, kind, signs_in = managed.CLUSTER, "analytics", "cluster", ("DbUser", "atoll")


class TestWorkgroup(managed.TestConformance):
    options, warehouse, signs_in = managed.WORKGROUP_OF_THEIRS, "reports", ("SecretArn", naming.secret("dwh"))
