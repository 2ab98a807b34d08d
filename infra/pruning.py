"""Takes out of a bundle what no function needs: Lambda refuses more than 250 MB unzipped, and every megabyte is read at a cold start."""

from __future__ import annotations

import shutil
from pathlib import Path

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
    "pyarrow/libarrow_substrait*",
    "pyarrow/_substrait*",
    "pyarrow/libparquet_encryption*",
    "pyarrow/gandiva*",
    "numpy/**/*.pyi",
    "numpy/f2py",
    "numpy/_core/include",
    "numpy/_core/lib",
    "botocore/data/**/examples-1.json*",
)
# The runtime has these: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html. They stay where aiobotocore asks for
# versions of its own.
RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")
RUNTIME_DISTRIBUTIONS = ("boto3-", "botocore-", "s3transfer-", "jmespath-", "python_dateutil-", "six-", "urllib3-")
NEEDED_SERVICES = {"dynamodb", "glue", "s3", "secretsmanager", "sts", "sso", "sso-oidc", "signin"}


def prune(folder: Path) -> None:
    """Deletes in place."""
    for pattern in UNNEEDED:
        for path in list(folder.glob(pattern)):
            _delete(path)
    if (folder / "aiobotocore").exists():
        _prune_services(folder / "botocore" / "data")
    elif not (folder / "requests").exists():
        _delete_runtime_packages(folder, RUNTIME_PACKAGES, RUNTIME_DISTRIBUTIONS)
    else:  # requests brings the urllib3 that it was tested with
        _delete_runtime_packages(folder, RUNTIME_PACKAGES[:-1], RUNTIME_DISTRIBUTIONS[:-1])


def _delete_runtime_packages(folder: Path, packages: tuple[str, ...], distributions: tuple[str, ...]) -> None:
    for name in packages:
        _delete(folder / name)
    for path in folder.glob("*.dist-info"):
        if path.name.startswith(distributions):
            _delete(path)


def _prune_services(data: Path) -> None:
    for path in data.iterdir():
        if path.is_dir() and path.name not in NEEDED_SERVICES:
            _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
