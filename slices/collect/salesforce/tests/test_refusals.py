"""What is told of a refusal is its code and known sentences: no text in which Salesforce may quote a value."""

from __future__ import annotations

import pytest

from shared_metadata.errors import DefinitionError
from slices.collect.salesforce.extracting import MAX_JOBS
from slices.collect.salesforce.tests.conftest import EARLIER, Crm
from systems.salesforce.refusals import REMEDIES, Refused, told, told_of_job, told_of_login
from tests.words_in_values import MARK, WORDS

NO_COLUMN = "No such column 'Fleet__c' on entity 'Account'"
CUSTOM = (
    ". If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)
NO_FILTER, TOO_LONG = "field 'Note__c' can not be filtered in a query call", "Your query request was running for too long."
AT = "\nSELECT Id, Fleet__c FROM Account\n           ^\nERROR at Row:1:Column:12\n"
# Texts of Salesforce's around a value, at its beginning, within it and at its end; and what a value may look like.
TEXTS = (
    "{}", "value of filter criterion for field 'Name' must be of type double: {}", "\nSELECT Id FROM Account WHERE Name = '{}'\n^\n",
    "invalid ID field: {}", "{}: " + NO_COLUMN, NO_COLUMN + ": {}", AT + NO_COLUMN + "{}", "No such column '{}' on entity 'Account'",
    "unexpected token: '{}'", "query timed out: {}", "sObject type '{}' is not supported", "duplicate value found: {} duplicates {}",
)  # fmt: skip


@pytest.mark.parametrize("code", [*REMEDIES, "API_ERROR", "", MARK, f"INVALID_FIELD {MARK}"])
def test_no_value_that_a_text_quotes_is_told(code: str) -> None:
    for text in TEXTS:
        kinds = {str(Refused(code, text.format(word, word), 400, "p.sql:1:1")) for word in WORDS}
        assert not any(MARK in said for said in kinds) and len(kinds) == 1, (text, kinds)
        assert not any(MARK in told_of_job(f"{code}: {text.format(word, word)}") for word in WORDS)
        assert not any(MARK in told_of_login(code, text.format(word, word), 400) for word in WORDS)


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        ("INVALID_FIELD", AT + NO_COLUMN + CUSTOM, f"INVALID_FIELD: {NO_COLUMN}"),
        ("INVALID_FIELD", NO_COLUMN, f"INVALID_FIELD: {NO_COLUMN}"),
        ("INVALID_FIELD", NO_COLUMN.replace("entity", "sobject") + ".", f"INVALID_FIELD: {NO_COLUMN.replace('entity', 'sobject')}"),
        ("INVALID_TYPE", "sObject type 'Fleet__c' is not supported.", "INVALID_TYPE: sObject type 'Fleet__c' is not supported"),
        ("INVALID_FIELD", f"{NO_FILTER}.", f"INVALID_FIELD: {NO_FILTER}"),
        ("QUERY_TIMEOUT", TOO_LONG, f"QUERY_TIMEOUT: {TOO_LONG}"),
        ("MALFORMED_QUERY", "unexpected token: 'x'", "MALFORMED_QUERY"),
        ("InternalServerError", "query timed out", "InternalServerError: query timed out"),
    ],
)  # fmt: skip
def test_names_and_known_sentences_are_told(code: str, text: str, said: str) -> None:
    assert told(code, text) == said and told_of_job(f"{code}: {text}") == said


def test_why_credentials_are_refused_is_told_in_the_standard_s_words() -> None:
    assert (
        told_of_login("invalid_grant", "user hasn't approved this consumer", 400)
        == "invalid_grant: user hasn't approved this consumer"
    )
    assert told_of_login("invalid_grant", "user jane", 400) == "invalid_grant"
    assert told_of_login("Oh no", "", 400) == "HTTP 400"


def test_a_job_that_fails_over_a_value_does_not_tell_it(crm: Crm) -> None:
    crm.options["bulk_threshold_rows"] = 0
    crm.org.insert("Account", [{"Name": "a"}], EARLIER)
    for _ in range(MAX_JOBS):
        crm.org.jobs.fail_next(f"conversion failed for '{MARK}'")
    crm.apply()
    with pytest.raises(DefinitionError, match=r"the Bulk job 750.* failed: InternalServerError Remedy: ") as caught:
        crm.run()
    assert MARK not in str(caught.value)
