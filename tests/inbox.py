"""Somebody who subscribes to the alerts' topic."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from shared_metadata import naming


class Inbox:
    """A queue that subscribes to the topic, which is made if it is not there. client: gives that of a service, as boto3 does."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        sns, sqs = client("sns"), client("sqs")
        self.topic, self._sqs = sns.create_topic(Name=naming.ALERTS_TOPIC)["TopicArn"], sqs
        self._url = sqs.create_queue(QueueName="alerts")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
        policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Condition": {"ArnEquals": {"aws:SourceArn": self.topic}}}]}
        sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": json.dumps(policy)})
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)

    def take(self) -> list[dict[str, Any]]:
        """The messages that came since, by their subjects."""
        taken = []
        while found := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", []):
            for message in found:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                taken.append(json.loads(message["Body"]))
        return sorted(taken, key=lambda message: str(message["Subject"]))
