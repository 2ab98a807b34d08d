"""Each call that a batch makes of Redshift or of AWS, broken in each way."""

from slices.organize.redshift.tests import test_conformance
from tests.conformance.organize_faults import WarehouseFaults


class TestEveryCall(WarehouseFaults):
    suite = test_conformance.TestConformance
