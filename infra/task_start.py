"""The beginning of a task: fetches the bundle of its step, checks that it is the one that was deployed, and goes on as its program.

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
    settings = os.environ
    try:
        found = boto3.client("s3").get_object(Bucket=settings["ATOLL_BUNDLE_BUCKET"], Key=settings["ATOLL_BUNDLE_KEY"])
        body = found["Body"].read()
    except Exception as error:
        print(f"[ERROR] the bundle could not be fetched: {type(error).__name__}: {error}", flush=True)
        sys.exit(NO_BUNDLE)
    digest = hashlib.sha256(body).hexdigest()
    if digest != settings["ATOLL_BUNDLE_SHA256"]:
        print("[ERROR] the bundle is another one than was deployed", flush=True)
        sys.exit(WRONG_BUNDLE)
    folder = os.path.join(settings.get("TMPDIR", "/tmp"), f"bundle-{digest[:16]}-{os.getpid()}")  # noqa: PTH118, S108 -- the task's own
    zipfile.ZipFile(io.BytesIO(body)).extractall(folder)
    path = os.pathsep.join(filter(None, (folder, settings.get("PYTHONPATH", ""))))
    line = [sys.executable, "-m", PROGRAM, settings["ATOLL_HANDLER"]]
    os.execve(sys.executable, line, {**settings, "PYTHONPATH": path})  # noqa: S606 -- another process: the bundle may bring its own boto3


if __name__ == "__main__":
    main()
