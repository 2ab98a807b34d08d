"""Each call that a batch makes of Databricks or of AWS, broken in each way."""

from slices.organize.databricks.tests import test_conformance
from tests.conformance.organize_faults import WarehouseFaults


class TestEveryCall(WarehouseFaults):
    suite = test_conformance.TestConformance
