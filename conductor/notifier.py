"""Notifies people, by the alerts topic, of drift that quiesces datasets, and of batches that are dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from conductor.known_states import KnownStates
from shared_metadata.errors import DefinitionError
from shared_metadata.notices import drift as drift_wording
from shared_metadata.notices.dead_letters import dead_message, dead_subject
from shared_metadata.state.records import FlowState
from shared_metadata.state.timeline import Programs
from shared_metadata.store.dead_letters import DeadBatch, dead_batch, dead_tables
from shared_metadata.store.writer import MetadataWriter

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Notifier:
    """Publishes to one topic; its messages hold names, places, causes and remedies, never data.

    It takes a lease, publishes, and marks the notification as sent. If it dies in between, the lease lapses, and `notify_left`
    makes up for it: the message is sent twice where only the mark was missing.
    """

    def __init__(self, writer: MetadataWriter, sns: SNSClient, topic_arn: str) -> None:
        self._writer, self._sns, self._topic_arn = writer, sns, topic_arn

    def notify(self, number: int) -> bool:
        """Publishes the drift's message, unless it was or is being sent; returns whether it did. Raises the topic's error."""
        drifts = self._writer.drifts
        drift = drifts.drift(number)
        if drift is None or not drifts.claim_notification(number):
            return False
        try:
            self._publish(drift_wording.subject(drift), drift_wording.message(drift))
        except Exception:
            drifts.release_notification(number)
            raise
        drifts.notified(number)
        return True

    def notify_left(self, known: KnownStates) -> bool:
        """Sends notifications missed after a crash or a dropped stream record. Returns whether there were any.

        It reads the open drift, and the states of flows with dead letters that are not known to be notified.
        """
        reader = self._writer.reader
        try:
            programs = reader.programs()
        except DefinitionError:
            return False  # no program was ever applied
        drifts = [drift.number for drift in self._writer.drifts.open_drifts() if drift.flows and drift.notified_at is None]
        letters = _unnotified(programs, known.read({flow for flow, _ in _unnotified(programs, known.held)}))
        notified = [self.notify(number) for number in drifts]
        return bool(any(notified) or (letters and self.notify_dead(letters)))

    def notify_dead(self, datasets: Iterable[tuple[str, str]]) -> list[str]:
        """Publishes a message for those (flow, dataset) that are dead letters without a sent notification; returns their datasets.

        Tables of one batch with one cause share a message. Raises the topic's or the table's error: then call it again.
        """
        groups: dict[tuple[str, str, str], list[DeadBatch]] = {}
        programs, notified = self._writer.reader.programs(), list[str]()
        try:
            for flow, dataset in datasets:
                table = self._writer.dead_letters.claim_notification(flow, dataset) if flow in programs.flow_ids else None
                if table:
                    dead = dead_batch(programs, flow, dataset, table, self._writer.reader.batch(flow, table.watermark, [dataset]))
                    groups.setdefault((flow, str(dead.interval), dead.cause), []).append(dead)
            for name, group in list(groups.items()):
                self._publish(dead_subject(group), dead_message(group))
                notified += [dead.dataset for dead in groups.pop(name)]
                self._record(group)
        except Exception:
            self._release([dead for group in groups.values() for dead in group])
            raise
        return notified

    def _record(self, batches: Sequence[DeadBatch]) -> None:
        for dead in batches:
            if dead.letter:
                self._writer.dead_letters.notified(dead.flow, dead.dataset, dead.letter)

    def _release(self, batches: Sequence[DeadBatch]) -> None:
        for dead in batches:
            if dead.letter:
                self._writer.dead_letters.release_notification(dead.flow, dead.dataset, dead.letter)

    def _publish(self, subject: str, message: str) -> None:
        self._sns.publish(TopicArn=self._topic_arn, Subject=subject, Message=message)


def _unnotified(programs: Programs, states: Mapping[str, FlowState]) -> list[tuple[str, str]]:
    """The flows and datasets of dead letters whose notification was not sent."""
    found = dead_tables(programs, {flow: state for flow, state in states.items() if flow in programs.flow_ids})
    return [(flow, name) for flow, name, table in found if table.dead_letter and table.dead_letter.told_at is None]
