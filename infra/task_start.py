"""The beginning of a task: fetches its bundle and what is made for its slice, checks that they are what was deployed, and goes on.

It is handed to the image's Python as a text (`python3 -c`), so it has nothing but what the image of Lambda's runtime has.
"""

import hashlib
import io
import os
import sys
import zipfile

import boto3

WRONG_BUNDLE, NO_BUNDLE = 81, 82  # as shared_metadata.contract.tasks.stopped has them
PROGRAM = "shared_metadata.contract.tasks.process"


def main() -> None:
    """Never returns."""
    settings, folders = os.environ, []
    for key, wanted in zip(settings["ATOLL_BUNDLE_KEYS"].split(), settings["ATOLL_BUNDLE_SHA256"].split(), strict=True):
        body = _fetched(settings["ATOLL_BUNDLE_BUCKET"], key)
        if hashlib.sha256(body).hexdigest() != wanted:
            print("[ERROR] the bundle is another one than was deployed", flush=True)
            sys.exit(WRONG_BUNDLE)
        folder = os.path.join(settings.get("TMPDIR", "/tmp"), f"bundle-{wanted[:16]}-{os.getpid()}")  # noqa: PTH118, S108 -- its own
        zipfile.ZipFile(io.BytesIO(body)).extractall(folder)
        folders += [folder, os.path.join(folder, "python")]  # noqa: PTH118 -- where a layer has what is on the path
    path = os.pathsep.join(filter(None, (*folders, settings.get("PYTHONPATH", ""))))
    line = [sys.executable, "-m", PROGRAM, settings["ATOLL_HANDLER"]]
    os.execve(sys.executable, line, {**settings, "PYTHONPATH": path})  # noqa: S606 -- another process: the bundle may bring its own boto3


def _fetched(bucket: str, key: str) -> bytes:
    try:
        found: bytes = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return found
    except Exception as error:
        print(f"[ERROR] the bundle could not be fetched: {type(error).__name__}: {error}", flush=True)
        sys.exit(NO_BUNDLE)


if __name__ == "__main__":
    main()
