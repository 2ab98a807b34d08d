"""Tells people of drift that quiesces something: one message a drift, to the alerts topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_metadata.drift_registry import DriftRegistry
from shared_metadata.drift_wording import message, subject

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Notifier:
    """Publishes to one topic; whoever subscribes to it gets names, places and remedies, never data."""

    def __init__(self, drifts: DriftRegistry, sns: SNSClient, topic_arn: str) -> None:
        self._drifts, self._sns, self._topic_arn = drifts, sns, topic_arn

    def tell(self, number: int) -> bool:
        """Publishes the drift's message if nobody has; False if somebody has. Raises what the topic answers: then call it again."""
        drift = self._drifts.drift(number)
        if drift is None or not self._drifts.claim_notification(number):
            return False
        try:
            self._sns.publish(TopicArn=self._topic_arn, Subject=subject(drift), Message=message(drift))
        except Exception:
            self._drifts.give_notification_back(number)
            raise
        return True
