"""What the lake relies on in the Glue Data Catalog: names that are taken, and a table's version as the condition of its change."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from infra.embedded import EmbeddedAws
from tests.conformance.fixtures import Cloud, cloud  # noqa: F401
from tests.memory.light_moto import moto_client

KIND = {"table_type": "ICEBERG", "metadata_location": "s3://bucket/1"}


class GlueBehaviour:
    @pytest.fixture
    def glue(self) -> Any:
        raise NotImplementedError

    @pytest.fixture
    def database(self, glue: Any) -> Iterator[str]:
        name = f"lake_{uuid.uuid4().hex[:8]}"
        glue.create_database(DatabaseInput={"Name": name, "Description": "made by a test"})
        yield name
        glue.delete_database(Name=name)

    @pytest.fixture
    def table(self, glue: Any, database: str) -> dict[str, Any]:
        """As it is found after it was made."""
        glue.create_table(DatabaseName=database, TableInput={"Name": "flights", "TableType": "EXTERNAL_TABLE", "Parameters": KIND})
        return glue.get_table(DatabaseName=database, Name="flights")["Table"]  # type: ignore[no-any-return]

    def test_a_database_is_found_until_it_is_deleted(self, glue: Any, database: str) -> None:
        assert glue.get_database(Name=database)["Database"]["Description"] == "made by a test"
        assert database in [found["Name"] for found in glue.get_databases()["DatabaseList"]]
        with pytest.raises(glue.exceptions.AlreadyExistsException):
            glue.create_database(DatabaseInput={"Name": database})
        with pytest.raises(glue.exceptions.EntityNotFoundException):
            glue.get_database(Name="no_such_database")

    def test_a_database_is_replaced_by_what_is_given(self, glue: Any, database: str) -> None:
        glue.update_database(Name=database, DatabaseInput={"Name": database, "Parameters": {"whose": "ours"}})
        assert glue.get_database(Name=database)["Database"]["Parameters"] == {"whose": "ours"}

    def test_a_table_is_what_was_given(self, glue: Any, database: str, table: dict[str, Any]) -> None:
        assert (table["Name"], table["DatabaseName"], table["TableType"]) == ("flights", database, "EXTERNAL_TABLE")
        assert table["Parameters"] == KIND and table["VersionId"]
        assert [found["Name"] for found in glue.get_tables(DatabaseName=database)["TableList"]] == ["flights"]

    def test_a_name_is_taken_once(self, glue: Any, database: str, table: dict[str, Any]) -> None:
        with pytest.raises(glue.exceptions.AlreadyExistsException):
            glue.create_table(DatabaseName=database, TableInput={"Name": "flights"})
        glue.delete_table(DatabaseName=database, Name="flights")
        with pytest.raises(glue.exceptions.EntityNotFoundException):
            glue.get_table(DatabaseName=database, Name="flights")
        glue.create_table(DatabaseName=database, TableInput={"Name": "flights"})

    def test_what_does_not_exist_is_not_found(self, glue: Any, database: str) -> None:
        missing = {"DatabaseName": database, "Name": "flights"}
        with pytest.raises(glue.exceptions.EntityNotFoundException):
            glue.get_table(**missing)
        with pytest.raises(glue.exceptions.EntityNotFoundException):
            glue.delete_table(**missing)
        with pytest.raises(glue.exceptions.EntityNotFoundException):
            glue.update_table(DatabaseName=database, TableInput={"Name": "flights"})
        with pytest.raises(glue.exceptions.EntityNotFoundException):
            glue.create_table(DatabaseName="no_such_database", TableInput={"Name": "flights"})

    def test_a_table_is_replaced_by_what_is_given(self, glue: Any, database: str, table: dict[str, Any]) -> None:
        given = {"Name": "flights", "Parameters": {**KIND, "metadata_location": "s3://bucket/2"}}
        glue.update_table(DatabaseName=database, TableInput=given, VersionId=table["VersionId"], SkipArchive=True)
        found = glue.get_table(DatabaseName=database, Name="flights")["Table"]
        assert found["Parameters"]["metadata_location"] == "s3://bucket/2" and found["VersionId"] != table["VersionId"]


class GlueAsDocumented(GlueBehaviour):
    """What moto is laxer about: it asks for no version."""

    def test_of_two_changes_of_one_version_the_second_is_refused(self, glue: Any, database: str, table: dict[str, Any]) -> None:
        change = {"DatabaseName": database, "TableInput": {"Name": "flights"}, "VersionId": table["VersionId"]}
        glue.update_table(**change)
        with pytest.raises(glue.exceptions.ConcurrentModificationException):
            glue.update_table(**change)


class TestInMemory(GlueAsDocumented):
    @pytest.fixture
    def glue(self, cloud: Cloud) -> Any:  # noqa: F811
        return cloud.session.client("glue")


class TestOverMoto(GlueBehaviour):
    @pytest.fixture
    def glue(self) -> Iterator[Any]:
        with moto_client("glue") as client:
            yield client


@pytest.mark.deep
@pytest.mark.xdist_group("emulator")
class TestOverTheEmulator(GlueAsDocumented):
    @pytest.fixture
    def glue(self, local_aws: EmbeddedAws) -> Any:
        return local_aws.session().client("glue")
