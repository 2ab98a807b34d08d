"""The stack CollectHttpSlice: a batch's functions, and an endpoint with a function that receives what is sent to it."""

from __future__ import annotations

import json
import zlib
from functools import cached_property
from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy
from aws_cdk import aws_apigatewayv2 as api
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import slice_stack
from infra.acknowledge import acknowledge
from infra.functions import AtollFunction
from infra.operations import FIVE_MINUTES, alarm
from infra.settings import LOG_DAYS, Settings
from shared_metadata import naming
from shared_metadata.contract import made_for
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Program
from slices.collect.http.config import Config, read_config
from slices.collect.http.logic import route
from slices.collect.http.receiving import ENDPOINTS
from slices.collect.http.slice import SLICE
from slices.collect.http.workflow import workflow

SENT = "what was sent to the slice's endpoint, under names of its own"
SIGNED = "each request is signed with a sender's key, which the function verifies before all else"
# A function's variables have 4 KB together: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_BYTES = 3000
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html; no address and no header
LOGGED = (
    '{"time":"$context.requestTimeEpoch","route":"$context.routeKey","status":"$context.status","bytes":"$context.responseLength",'
    '"milliseconds":"$context.responseLatency","error":"$context.error.responseType","request":"$context.requestId"}'
)


class SliceStack(slice_stack.SliceStack):
    """plan ▸ extract* ▸ commit, and beside them receive. Plan looks at some of what was sent, as nothing else tells its columns."""

    def __init__(self, scope: Construct, program: Program, settings: Settings, **stack_settings: Any) -> None:
        super().__init__(scope, SLICE, program, settings, **stack_settings)
        plan = self.step("plan", memory_mb=512, timeout_seconds=900, data=True)
        extract = self.step("extract", memory_mb=2048, timeout_seconds=900, data=True, tmp_mb=1024)
        commit = self.step("commit", memory_mb=256, timeout_seconds=300, data=False)
        for step in (plan, extract, commit):
            step.write_objects([self.staging], slice_stack.OWN_STAGING)
        extract.read_secrets(self.mask_keys)
        discover = self.discover(data=True)
        sent = naming.inbox_prefix(SLICE.id)
        for step in (plan, extract, discover):
            step.read_objects([sent], SENT)
        receive = self.receive(memory_mb=512, timeout_seconds=10)
        receive.put_objects([sent], SENT)
        receive.read_secrets(self.secrets)
        self._know(receive)
        self._endpoint(receive)
        self.finish(workflow)

    @cached_property
    def _configs(self) -> dict[str, Config]:
        """What the connections of the slice's flows name."""
        return {name: read_config(self.program.connections[name]) for name in made_for.connections(SLICE, self.program)}

    def _endpoint(self, receive: AtollFunction) -> None:
        """An HTTP API with a route for each table, each with a bound of its own, before a function is called."""
        made = api.CfnApi(self, "Endpoint", name=naming.state_machine(SLICE.id), protocol_type="HTTP")
        routes, bounds = self._routes(receive, made)
        stage = api.CfnStage(
            self,
            "Stage",
            api_id=made.ref,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=api.CfnStage.AccessLogSettingsProperty(destination_arn=self._log().log_group_arn, format=LOGGED),
            route_settings=bounds,
        )
        for one in routes:
            stage.add_resource_dependency(one)
        self._let_in(receive, made)
        self._watch(made)
        CfnOutput(self, "Url", value=made.attr_api_endpoint, description="Events are sent to this, and /connection/table behind it")

    def _know(self, receive: AtollFunction) -> None:
        """Tells the function of the connections. Raises DefinitionError where that is more than its variables hold."""
        options = {
            name: {"secret": self.program.connections[name].options["secret"], **config.model_dump(exclude_defaults=True)}
            for name, config in self._configs.items()
        }
        text = json.dumps(options)
        if len(text) > MOST_BYTES:
            cause = f"the options of the connections to http have more than {MOST_BYTES:,} characters together"
            raise DefinitionError(cause, remedy="name fewer tables, or shorter ones")
        receive.function.add_environment(ENDPOINTS, text)

    def _routes(self, receive: AtollFunction, made: api.CfnApi) -> tuple[list[api.CfnRoute], dict[str, dict[str, int]]]:
        """The routes, and the bound of each."""
        calls = api.CfnIntegration(
            self,
            "Calls",
            api_id=made.ref,
            integration_type="AWS_PROXY",
            integration_uri=receive.function.function_arn,
            payload_format_version="2.0",
        )
        bounds, routes = dict[str, dict[str, int]](), list[api.CfnRoute]()
        for name, config in self._configs.items():
            for table in config.names:
                key = f"POST {route(name, table)}"
                target, id = f"integrations/{calls.ref}", f"Route{zlib.crc32(key.encode()):08x}"  # of letters and digits
                routes.append(api.CfnRoute(self, id, api_id=made.ref, route_key=key, authorization_type="NONE", target=target))
                acknowledge(routes[-1], "AwsSolutions-APIG4", SIGNED)
                bounds[key] = {"ThrottlingRateLimit": config.requests_a_second, "ThrottlingBurstLimit": 2 * config.requests_a_second}
        return routes, bounds

    def _let_in(self, receive: AtollFunction, made: api.CfnApi) -> None:
        source = f"arn:{self.partition}:execute-api:{self.region}:{self.account}:{made.ref}/$default/*"
        lambda_.CfnPermission(
            self,
            "Call",
            action="lambda:InvokeFunction",
            function_name=receive.function.function_name,
            principal="apigateway.amazonaws.com",
            source_arn=source,
        )

    def _log(self) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "Requests",
            log_group_name=f"/aws/vendedlogs/{naming.state_machine(SLICE.id)}",
            retention=logs.RetentionDays(LOG_DAYS[self.settings.log_days]),
            encryption_key=self.steps["receive"].key,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _watch(self, made: api.CfnApi) -> None:
        failed = cloudwatch.Metric(
            namespace="AWS/ApiGateway", metric_name="5xx", dimensions_map={"ApiId": made.ref}, statistic="Sum", period=FIVE_MINUTES
        )
        alarm(self, "RequestFailed", failed, "Requests to the endpoint were answered that they be sent again: `atoll logs` says why")
