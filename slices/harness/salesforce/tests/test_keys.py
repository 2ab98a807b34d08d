"""Keys that differ here and are one for Salesforce, which cuts blanks off and, mostly, compares texts whatever their case."""

from __future__ import annotations

import pytest

from doubles.salesforce import Field
from shared_metadata.errors import DefinitionError
from slices.harness.salesforce.tests.test_publishing import Contacts, contacts, credentials, person
from tests.conformance.fixtures import Cloud, cloud

__all__ = ["cloud", "contacts", "credentials"]


def test_a_record_whose_key_changes_its_case_or_blanks_stays_and_goes_when_its_key_does(cloud: Cloud, contacts: Contacts) -> None:
    way = contacts.way(cloud)
    way.publish([person("abc"), person("d "), person("c")])
    assert [key for key, *_ in contacts.held()] == ["abc", "c", "d"]
    way.publish([person("ABC", score=5), person("d"), person("c")])
    assert [score for *_, score in contacts.held()] == [5, 1, 1]
    way.publish([person("c")])
    assert [key for key, *_ in contacts.held()] == ["c"]


def test_two_keys_of_a_result_that_are_one_record_are_refused_before_anything_is_sent(cloud: Cloud, contacts: Contacts) -> None:
    with pytest.raises(DefinitionError, match=r"1 keys \(customer_key__c\) are several rows that differ in case or blanks"):
        contacts.way(cloud).publish([person("abc"), person("ABC "), person("c")])
    assert contacts.held() == []


def test_a_case_sensitive_field_tells_keys_apart_by_their_case(cloud: Cloud, contacts: Contacts) -> None:
    contacts.org.add_field("Contact", Field("Customer_Key__c", length=20, external_id=True, unique=True, case_sensitive=True))
    way = contacts.way(cloud)
    way.publish([person("abc"), person("ABC")])
    way.publish([person("ABC")])
    assert [key for key, *_ in contacts.held()] == ["ABC"]
