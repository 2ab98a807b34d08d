"""Starts and stops the AWS emulator as a background process; makes its clients' environment."""

import json
import os
import shutil
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil

from infra.embedded.ports import LOOPBACK, free_port
from infra.embedded.state import EmbeddedError, Folders, ProcessRecord, wait_until
from infra.embedded.tls import ensure_certificate, tls_files

ACCOUNT = "000000000000"
REGION = "us-east-1"
DEFAULT_PORT = 4566
_SECRET_KEY = "local"
_START_TIMEOUT_SECONDS = 60
_STOP_TIMEOUT_SECONDS = 60
_BUSY_TIMEOUT_SECONDS = 20
_LOG_LIMIT_BYTES = 20_000_000
# The variables that a function may inherit from the user's own shell; all others would make runs differ between machines.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY")
# Variables that Lambda does not set either: a function that reads one would work here and fail in AWS.
_NOT_IN_LAMBDA = (
    "AWS_ACCOUNT_ID",
    "CDK_DEFAULT_ACCOUNT",
    "CDK_DEFAULT_REGION",
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION",
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION",
)


def endpoint(port: int) -> str:
    """The address of the emulator on the given port."""
    return f"https://{LOOPBACK}:{port}"


def client_environment(folders: Folders, port: int) -> dict[str, str]:
    """The variables by which the AWS SDKs, the AWS command and the CDK find and trust the emulator, as its root user.

    The user's own configuration files are shut out, so that no profile of theirs can take a call elsewhere.
    """
    bundle = str(tls_files(folders.aws / "tls").bundle)
    return {
        "AWS_ENDPOINT_URL": endpoint(port),
        "AWS_CA_BUNDLE": bundle,
        "NODE_EXTRA_CA_CERTS": bundle,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": _SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCOUNT_ID": ACCOUNT,
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "ATOLL_DEPENDENCIES": "host",  # functions run where the packages are: they need no bundles of another platform
        "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
        # Node 20 works and is the oldest that Atoll accepts, but jsii ended its support on 2026-10-30.
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }


def start(folders: Folders, port: int | None) -> tuple[ProcessRecord, int]:
    """Start the emulator on the port, or on a free one when that is taken, and wait until it answers."""
    files = ensure_certificate(folders.aws / "tls")
    shutil.rmtree(folders.aws / "tmp", ignore_errors=True)
    (folders.aws / "tmp").mkdir(parents=True)
    if folders.aws_log.exists() and folders.aws_log.stat().st_size > _LOG_LIMIT_BYTES:
        folders.aws_log.replace(folders.aws_log.with_suffix(".log.1"))
    while True:
        chosen = free_port(port or DEFAULT_PORT)
        process = _launch(folders, chosen, files.bundle)
        if process.poll() is None:
            return ProcessRecord.of(process.pid), chosen
        if free_port(chosen) == chosen:  # otherwise another process took it while the emulator was about to listen on it
            raise EmbeddedError(
                f"The embedded AWS ended with code {process.returncode} while starting: {_last_line(folders.aws_log)}",
                remedy=f"see {folders.aws_log}; `atoll local up --fresh` starts over with empty state",
            )


def _launch(folders: Folders, port: int, bundle: Path) -> subprocess.Popen[bytes]:
    """The emulator's process, which answers, or has ended."""
    with folders.aws_log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("gateway.py"))],
            cwd=folders.aws,
            env=_gateway_environment(folders, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(
            lambda: process.poll() is not None or healthy(port, bundle),
            _START_TIMEOUT_SECONDS,
            f"The embedded AWS did not answer on {endpoint(port)} within {_START_TIMEOUT_SECONDS} s.",
            f"see {folders.aws_log}; `atoll local up --fresh` starts over with empty state",
        )
    except EmbeddedError:
        process.kill()
        raise
    return process


def stop(folders: Folders, record: ProcessRecord) -> None:
    """Ask the emulator to save its state and end; nothing happens when it has ended already."""
    process = record.find()
    if process is None:
        return
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_SECONDS)
    except psutil.TimeoutExpired as error:
        raise EmbeddedError(
            f"The embedded AWS (process {record.pid}) did not end within {_STOP_TIMEOUT_SECONDS} s.",
            remedy=f"see {folders.aws_log}; `kill -9 {record.pid}` loses at most the last minutes of its state",
        ) from error


def answers(folders: Folders, port: int) -> bool:
    """Whether a running emulator answers; it waits longer for a busy one."""
    bundle = tls_files(folders.aws / "tls").bundle
    try:
        wait_until(lambda: healthy(port, bundle), _BUSY_TIMEOUT_SECONDS, "")
    except EmbeddedError:
        return False
    return True


def healthy(port: int, bundle: Path) -> bool:
    """Whether the emulator answers on the port, with the certificate in the bundle and with IAM enforced."""
    if not bundle.exists():
        return False
    try:
        context = ssl.create_default_context(cafile=str(bundle))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with opener.open(f"{endpoint(port)}/_ministack/health", timeout=5) as answer:
            return bool(json.load(answer)["auth"] == "enabled")
    except (OSError, ValueError, KeyError):
        return False


def _gateway_environment(folders: Folders, port: int) -> dict[str, str]:
    files = tls_files(folders.aws / "tls")
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    settings = client_environment(folders, port)
    functions = {name: value for name, value in settings.items() if name not in _NOT_IN_LAMBDA}
    return {
        **inherited,
        **functions,
        "SSL_CERT_FILE": str(files.bundle),
        "REQUESTS_CA_BUNDLE": str(files.bundle),
        "TZ": "UTC",
        "TMPDIR": str(folders.aws / "tmp"),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": LOOPBACK,
        "MINISTACK_HOST": "localhost",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "MINISTACK_SSL_CERT": str(files.certificate),
        "MINISTACK_SSL_KEY": str(files.key),
        "USE_SSL": "1",
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folders.aws / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folders.aws / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folders.aws / 'no-docker'}",
        "LOG_LEVEL": "INFO",
        "ATOLL_SAVE_INTERVAL_SECONDS": os.environ.get("ATOLL_SAVE_INTERVAL_SECONDS", "60"),
        "ATOLL_FUNCTION_ENVIRONMENTS": os.environ.get("ATOLL_FUNCTION_ENVIRONMENTS", ""),  # per function; else one per processor
    }


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it wrote nothing."
