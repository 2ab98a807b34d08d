"""The stack of what all slices share: metadata table, data bucket, alerts topic, and the one key they are encrypted with."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.atoll_stack import AtollStack
from infra.places import KEY, STREAM, Places
from infra.settings import Settings
from shared_metadata import naming

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html, its wildcards written out
LOG_KEY_ACTIONS = [
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
]
# Prefix in the data bucket ▸ days after which what lies there goes; the data of tables lies elsewhere (maintenance/sweep.py).
EXPIRING = {
    naming.staging_prefix("harness.").removesuffix("/"): 30,  # what a publish compares and sends is of no use after it
    naming.INBOX: naming.INBOX_DAYS,
    naming.ANSWERS: naming.ANSWERS_DAYS,
    naming.rejected_prefix("harness.").removesuffix("/"): naming.REJECTED_DAYS,
    naming.VERIFICATIONS: naming.VERIFICATION_DAYS,
}


class SharedMetadataStack(AtollStack):
    """What outlives every slice; deleting the stack keeps the data, unless `keepData=false` says otherwise.

    What is kept has a name of its own or, the key, is given again by its ARN: so a stack that is made anew takes it over
    (docs/deploying.md). A first deploy that fails keeps nothing; the table, which is protected from deletion, is made last, but for
    the parameter that tells its stream.
    """

    def __init__(self, scope: Construct, settings: Settings, **stack_settings: Any) -> None:
        keep = settings.keep_data
        description = "Atoll: metadata, data bucket, alerts"
        super().__init__(scope, naming.METADATA_STACK, settings, description, termination_protection=keep, **stack_settings)
        self._removal = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if keep else RemovalPolicy.DESTROY
        self.key = self._owners_key(settings.key_arn) if settings.key_arn else self._key()
        self.bucket = self._bucket()
        self.alerts = self._alerts()
        ssm.StringParameter(self, "KeyArn", parameter_name=KEY, string_value=self.key.key_arn)
        before = self.node.children
        self.table = self._table(keep)
        self.table.node.add_dependency(*before)
        ssm.StringParameter(self, "StreamArn", parameter_name=STREAM, string_value=self.table.table_stream_arn or "")

    def _key(self) -> kms.IKey:
        key = kms.Key(
            self,
            "Key",
            alias=naming.KEY_ALIAS,
            description="Atoll: metadata, staged data, warehouse, logs and alerts",
            enable_key_rotation=True,
            removal_policy=self._removal,
        )
        logs = iam.ServicePrincipal(f"logs.{self.region}.amazonaws.com")
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroupsOfAtoll",
                principals=[logs],
                actions=LOG_KEY_ACTIONS,
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": Places(self).log_groups(f"/*/{naming.PREFIX}-*")}},
            )
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsToTheAlertsTopic",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        return key

    def _owners_key(self, arn: str) -> kms.IKey:
        """One that is there; its policy is its owner's (docs/deploying.md)."""
        key = kms.Key.from_key_arn(self, "Key", arn)
        kms.Alias(self, "Alias", alias_name=naming.KEY_ALIAS, target_key=key)
        return key

    def _table(self, keep: bool) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            "Table",
            table_name=naming.METADATA_TABLE,
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            time_to_live_attribute="expires",
            deletion_protection=keep,
            removal_policy=self._removal,
        )

    def _bucket(self) -> s3.Bucket:
        access_logs = s3.Bucket(
            self,
            "AccessLogs",
            bucket_name=naming.access_log_bucket(self.account, self.region),
            encryption=s3.BucketEncryption.S3_MANAGED,  # the only one that S3's log delivery can write with
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(90))],
            removal_policy=self._removal,
        )
        return s3.Bucket(
            self,
            "Data",
            bucket_name=naming.data_bucket(self.account, self.region),
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="data/",
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                    noncurrent_version_expiration=Duration.days(7),
                    expired_object_delete_marker=True,
                ),
                *(s3.LifecycleRule(prefix=prefix, expiration=Duration.days(days)) for prefix, days in EXPIRING.items()),
            ],
            removal_policy=self._removal,
        )

    def _alerts(self) -> sns.Topic:
        topic = sns.Topic(self, "Alerts", topic_name=naming.ALERTS_TOPIC, master_key=self.key, enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Alarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        return topic
