"""Lambda's execution environments as ministack runs them, with what Atoll needs of them corrected."""

import os
import time
from contextvars import ContextVar
from typing import Any

from ministack.core import lambda_runtime  # type: ignore[import-untyped]
from ministack.services import lambda_svc  # type: ignore[import-untyped]

_START_SECONDS = 10.0  # the start of an environment, on a busy machine
_IDLE_SECONDS = 100.0  # more than the minute after which the clock calls again
_PROCESS_ENDED = "Worker process died"
_REFUSED = "Lambda.TooManyRequestsException"
_raised: ContextVar[str | None] = ContextVar("raised", default=None)


def keep_error_names() -> None:
    """Reports a function's exception by its class name, as Lambda does and as Retry and Catch of a state machine need.

    ministack calls every exception Runtime.HandlerError, and the end of its process too.
    https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
    """
    reported = '{"status": "error", "error": str(e), '
    if reported not in lambda_runtime._PYTHON_WORKER_SCRIPT:
        raise RuntimeError("This version of ministack reports exceptions in another way: adapt infra/embedded/functions.py.")
    lambda_runtime._PYTHON_WORKER_SCRIPT = lambda_runtime._PYTHON_WORKER_SCRIPT.replace(
        reported, reported + '"raised": type(e).__name__, '
    )
    invoke, execute = lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm

    def invoke_and_note(*args: Any, **kwargs: Any) -> dict[str, Any]:
        answer: dict[str, Any] = invoke(*args, **kwargs)
        _raised.set(answer.get("raised"))
        return answer

    def execute_and_name(*args: Any, **kwargs: Any) -> dict[str, Any]:
        _raised.set(None)
        answer: dict[str, Any] = execute(*args, **kwargs)
        ended = answer.get("error") and answer["body"].get("errorMessage") == _PROCESS_ENDED
        if name := "Runtime.ExitError" if ended else _raised.get():
            answer["body"]["errorType"] = name
        return answer

    lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm = invoke_and_note, execute_and_name


def name_refusals() -> None:
    """Gives the refusal of a call for want of concurrency the name by which a state machine's Retry knows it.

    ministack tells Lambda's own API of it as AWS does, and a state machine that an unknown error happened.
    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    refuse = lambda_svc._throttle_response

    def named(*args: Any, **kwargs: Any) -> dict[str, Any]:
        answer: dict[str, Any] = refuse(*args, **kwargs)
        return {**answer, "body": {**answer["body"], "errorType": _REFUSED}}

    lambda_svc._throttle_response = named


def prefer_free_environments() -> None:
    """Has a call wait a little for one of its function's environments before another is started, once there are that many.

    A start takes a second or two of a processor, which at the first batches is most of what a small machine would do.
    """
    acquire = lambda_svc.acquire_worker

    def acquire_worker(name: str, config: dict[str, Any], code: bytes, qualifier: str = "$LATEST", **more: Any) -> Any:
        key, until = lambda_runtime._worker_key(name, config, qualifier), time.monotonic() + _START_SECONDS
        while _all_busy(key) and time.monotonic() < until:
            time.sleep(0.01)
        return acquire(name, config, code, qualifier=qualifier, **more)

    lambda_svc.acquire_worker = acquire_worker


def end_idle_environments() -> None:
    """Ends each of a function's environments that has had no call for a while, as Lambda does.

    ministack keeps the first one of a function for ever, which for an installation is some gigabytes of memory.
    """
    lambda_svc.reap_idle_workers = _end_idle


def _end_idle() -> int:
    """Ends the processes that have been idle; the number of them."""
    since, ended = time.time() - _IDLE_SECONDS, []
    with lambda_runtime._lock:
        for key, environments in list(lambda_runtime._workers.items()):
            idle = [one for one in environments if not one.in_use and one.last_used < since]
            lambda_runtime._workers[key] = [one for one in environments if one not in idle]
            ended += idle
    lambda_runtime.kill_workers(ended)
    return len(ended)


def _all_busy(key: str) -> bool:
    most = int(os.environ["ATOLL_FUNCTION_ENVIRONMENTS"] or os.cpu_count() or 1)
    with lambda_runtime._lock:
        environments = lambda_runtime._workers.get(key, ())
        return len(environments) >= most and all(one.in_use for one in environments)
