"""Takes out of a bundle what no function needs: Lambda refuses more than 250 MB unzipped, and reads all of it at a cold start."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from infra.stripping import strip

# Relative to the bundle; measured with the versions of requirements.lock.
UNNEEDED = (
    "bin",
    "**/__pycache__",
    "**/tests",
    "*.dist-info/RECORD",
    "*.dist-info/licenses/*.html",
    "pyarrow/include",
    "pyarrow/src",
    "pyarrow/includes",
    "pyarrow/**/*.pyx",
    "pyarrow/**/*.pxi",
    "pyarrow/**/*.pxd",
    "pyarrow/libarrow_flight*",
    "pyarrow/libarrow_python_flight*",
    "pyarrow/_flight*",
    "pyarrow/_substrait*",  # the library itself stays: pyarrow's core is linked against it
    "pyarrow/_gcsfs*",
    "pyarrow/_hdfs*",
    "pyarrow/_azurefs*",
    "pyarrow/_orc*",
    "pyarrow/libarrow_python.so",  # copies of libarrow_python.so.<version>
    "pyarrow/libarrow_python.so.*.*.*",
    "zstandard/_cffi*",  # the C backend is the one in use
    "hive_metastore",
    "pygments",
    "numpy/**/*.pyi",
    "numpy/f2py",
    "numpy/_core/include",
    "numpy/_core/lib",
    "botocore/data/**/examples-1.json*",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui",
)
# What botocore describes of AWS's services, where a bundle has a botocore of its own, beside the services that its slice declares.
NEEDED_SERVICES = {"dynamodb", "glue", "s3", "secretsmanager", "sts", "sso", "sso-oidc", "signin"}


def prune(folder: Path, services: Collection[str] = ()) -> None:
    """Deletes in place.  services: of AWS's, those that are called beside those of every slice."""
    _prune_services(folder / "botocore" / "data", NEEDED_SERVICES.union(services))
    for pattern in UNNEEDED:
        for path in list(folder.glob(pattern)):
            _delete(path)
    for library in folder.rglob("*.so*"):
        if library.is_file() and not library.is_symlink():
            strip(library)


def _prune_services(data: Path, needed: Collection[str]) -> None:
    for path in data.iterdir() if data.exists() else ():
        if path.is_dir() and path.name not in needed:
            _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
