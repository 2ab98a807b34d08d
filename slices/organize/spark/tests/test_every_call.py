"""Each call that a view's batch makes of EMR Serverless or of AWS, broken in each way."""

from slices.organize.spark.tests import test_views
from tests.conformance.organize_faults import EngineFaults


class TestEveryCall(EngineFaults):
    served = test_views.Served
