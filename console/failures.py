"""Explains errors of AWS and its SDK: names the thing and the remedy."""

from __future__ import annotations

from typing import Any

from console.again import again
from console.deploy_hint import deploy_command
from shared_metadata import naming
from shared_metadata.aws.later import Refusal, is_later, refusal
from shared_metadata.errors import AtollError, DefinitionError, RetryLater, SecretError

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
UNKNOWN = {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch"}
UNKNOWN |= {"InvalidAccessKeyId", "InvalidToken", "AuthFailure"}  # S3's and EC2's words for it
NO_OBJECT, FORBIDDEN = {"NoSuchKey", "404"}, {"403"}  # what S3 answers to HEAD has no words, but a status
METADATA_OPERATIONS = {"GetItem", "Query", "BatchGetItem", "Scan", "PutItem", "UpdateItem", "TransactWriteItems", "BatchWriteItem"}
SIGN_IN = "sign in again (`aws sso login --profile NAME`), or choose another account with `--profile`"
GIVE = "`aws configure`, or `aws sso login --profile NAME`; without an account of your own: atoll local up --help"


def explain_aws(error: Exception) -> AtollError:
    """The error to show for a BotoCoreError or ClientError."""
    from botocore.exceptions import ClientError

    return _of_service(error) if isinstance(error, ClientError) else _of_sdk(error)


def _of_service(error: Any) -> AtollError:
    code, operation = error.response.get("Error", {}).get("Code", ""), error.operation_name
    message = str(error.response.get("Error", {}).get("Message", "")).strip().rstrip(".")
    if code in EXPIRED:
        return SecretError("the AWS credentials have expired", remedy=SIGN_IN)
    if code in UNKNOWN:
        return SecretError(f"AWS does not know these credentials ({code})", remedy=SIGN_IN)
    why = refusal(error)
    if why == Refusal.DENIED or code in FORBIDDEN:
        return SecretError(
            f"AWS refuses {operation}: {message or code}",
            remedy="ask whoever administers the account to allow it, or choose another account with `--profile`",
        )
    if why == Refusal.LATER:
        return RetryLater(f"AWS refuses {operation} for the moment ({code}): {message}", remedy="try again in a minute")
    if code == "ResourceNotFoundException" and operation in METADATA_OPERATIONS:
        return not_deployed(f"there is no table {naming.METADATA_TABLE} in this account and region", naming.METADATA_STACK)
    if code == "NoSuchBucket":
        return not_deployed("there is no bucket for data in this account and region", naming.METADATA_STACK)
    if code in NO_OBJECT:
        return AtollError(
            f"S3 has no such object any more, asked by {operation}",
            remedy="ask again: what is superseded is deleted",
        )
    if code == "StateMachineDoesNotExist":
        return DefinitionError(
            f"the slice's state machine does not exist in this account and region ({message})",
            remedy=f"{again(deploy_command())}, or choose another account with `--profile`",
        )
    return AtollError(f"AWS answered {operation} with {code}: {message}", remedy="see that `--profile` is the right account")


def not_deployed(what: str, stack: str) -> DefinitionError:
    """The error of a stack that has to be deployed first."""
    return DefinitionError(
        f"{what}: {stack} is not deployed", remedy=f"{again(deploy_command(stack))}, or choose another account with `--profile`"
    )


def _of_sdk(error: Exception) -> AtollError:
    from botocore import exceptions

    credentials = (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.NoAuthTokenError)
    signed_out = (exceptions.CredentialRetrievalError, exceptions.SSOError, exceptions.TokenRetrievalError)
    if isinstance(error, credentials):
        return SecretError("there are no AWS credentials", remedy=GIVE)
    if isinstance(error, signed_out):
        return SecretError(f"the AWS credentials cannot be used: {error}", remedy=SIGN_IN)
    if isinstance(error, exceptions.SSLError):
        return RetryLater(
            f"the certificate of AWS's endpoint is not accepted: {error}",
            remedy="see AWS_CA_BUNDLE, or a proxy's certificate",
        )
    if is_later(error):
        return RetryLater(
            f"AWS cannot be reached: {error}",
            remedy="see the network, the region, and AWS_ENDPOINT_URL; then try again",
        )
    return AtollError(f"the AWS SDK says: {error}", remedy="see that `--profile` and its configuration are right")
