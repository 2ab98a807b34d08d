"""S3 in memory, over its clients and its door, and the two emulations that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import s3fs
from botocore.exceptions import ClientError

from infra.embedded import EmbeddedAws
from shared_metadata.contract.parquet.duckdb_session import open_duckdb
from tests.conformance.fixtures import Cloud, cloud  # noqa: F401
from tests.memory.light_moto import moto_client
from tests.memory.s3_behaviour import S3AsDocumented, S3Behaviour, complete


class TestInMemory(S3AsDocumented):
    @pytest.fixture
    def s3(self, cloud: Cloud) -> Any:  # noqa: F811
        return cloud.s3

    def test_what_moto_takes_and_aws_does_not_is_refused(self, s3: Any, bucket: str) -> None:
        with pytest.raises(ClientError, match="InvalidPartOrder"):
            complete(s3, bucket, (5, 1), (2, 1))
        objects = [{"Key": f"k{number}"} for number in range(1001)]
        assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": objects[1:]})["Deleted"]) == 1000
        with pytest.raises(ClientError, match="MalformedXML"):
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})


class TestOverMoto(S3AsDocumented):
    @pytest.fixture
    def s3(self) -> Iterator[Any]:
        with moto_client("s3") as client:
            yield client


@pytest.mark.deep
@pytest.mark.xdist_group("emulator")
class TestOverTheEmulator(S3Behaviour):
    @pytest.fixture
    def s3(self, local_aws: EmbeddedAws) -> Any:
        return local_aws.session().client("s3")


def test_s3fs_and_duckdb_read_and_write_what_boto3_does(cloud: Cloud) -> None:  # noqa: F811
    files, place = s3fs.S3FileSystem(), f"s3://{cloud.bucket}"
    cloud.s3.put_object(Bucket=cloud.bucket, Key="in/one.csv", Body=b"n\n1\n2\n")
    with files.open(f"{place}/in/two.csv", "wb") as file:
        file.write(b"n\n3\n")
    with open_duckdb(cloud.session) as lake:
        assert lake.execute(f"SELECT sum(n) FROM read_csv('{place}/in/*.csv')").fetchall() == [(6,)]
        lake.execute(f"COPY (SELECT range AS n, repeat('x', 200) AS x FROM range(300_000)) TO '{place}/out/it é.parquet'")
        assert lake.execute(f"SELECT count(*), max(n) FROM '{place}/out/*.parquet'").fetchall() == [(300_000, 299_999)]
    assert files.cat(f"{place}/in/two.csv") == cloud.body("in/two.csv") == b"n\n3\n"
    assert files.info(f"{place}/out/it é.parquet")["size"] == len(cloud.body("out/it é.parquet"))
    with pytest.raises(FileNotFoundError):
        files.cat(f"{place}/in/three.csv")
