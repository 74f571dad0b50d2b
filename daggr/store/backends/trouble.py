"""Trouble: turning what a driver or the operating system raises into a SyncError that says what to do.

Drivers are recognised by what their errors carry (an HTTP status, an S3 error code, an errno, a class name), so none of
them is imported.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from daggr.errors import SyncError

_REASON_LENGTH = 300
_HIDDEN = "***"
_SECRETS = (
    (re.compile(r"(?<=://)[^/\s@]+@"), ""),
    (re.compile(r"(https?://[^\s?\"'<>]*)\?[^\s\"'<>]*"), r"\1"),
    (re.compile(r"(?i)\b(bearer|basic|aws4-hmac-sha256)\s+[\w.~+/=,-]+"), rf"\1 {_HIDDEN}"),
    (
        re.compile(
            r"(?i)\b([\w-]*(?:secret|token|passw(?:or)?d|passphrase|signature|credentials?|api_?key|access_?key)[\w-]*)"
            r"([\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;)>]+"
        ),
        rf"\1\2{_HIDDEN}",
    ),
    (re.compile(r"\b(?:A[KS]IA[A-Z0-9]{12,}|hf_\w{8,}|gh[a-z]_\w{8,})"), _HIDDEN),
)


class Remedy(NamedTuple):
    """Whether trying again can help, and what else would."""

    retryable: bool
    hint: str


CREDENTIALS = Remedy(
    False, "Check the credentials; for s3:// these are the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)
RIGHTS = Remedy(
    False,
    "Give this account the right to list, read, write and delete there. S3 also says so of absent keys when listing "
    "(s3:ListBucket) is not allowed.",
)
FOLDER_RIGHTS = Remedy(False, "Choose a folder that you may write to, or make this one writable.")
BUCKET = Remedy(False, "Create the bucket, or check its name, the region and the endpoint (AWS_ENDPOINT_URL).")
FULL = Remedy(False, "Make room there.")
IN_THE_WAY = Remedy(False, "A file is where a folder should be, or the reverse; no key may be a folder of another.")
CLOCK = Remedy(False, "Set the clock of this machine right.")
BUSY = Remedy(True, "The service is busy; try again later.")
NETWORK = Remedy(True, "Check the network and the endpoint, then try again.")
UNKNOWN = Remedy(False, "")

_CODES = {
    "NoSuchBucket": BUCKET,
    "InvalidBucketName": BUCKET,
    "PermanentRedirect": BUCKET,
    "AuthorizationHeaderMalformed": BUCKET,
    "InvalidAccessKeyId": CREDENTIALS,
    "SignatureDoesNotMatch": CREDENTIALS,
    "ExpiredToken": CREDENTIALS,
    "InvalidToken": CREDENTIALS,
    "AccessDenied": RIGHTS,
    "AllAccessDisabled": RIGHTS,
    "AccountProblem": RIGHTS,
    "RequestTimeTooSkewed": CLOCK,
    "QuotaExceeded": FULL,
    "SlowDown": BUSY,
    "ServiceUnavailable": BUSY,
    "InternalError": BUSY,
    "OperationAborted": BUSY,
    "RequestTimeout": NETWORK,
    "IncompleteBody": NETWORK,
    "BadDigest": NETWORK,
    "XAmzContentSHA256Mismatch": NETWORK,
}
_STATUSES = {
    401: CREDENTIALS,
    403: RIGHTS,
    408: NETWORK,
    409: BUSY,
    423: BUSY,
    425: BUSY,
    429: BUSY,
    501: UNKNOWN,
    507: FULL,
}
_CLASSES = {
    "NoCredentialsError": CREDENTIALS,
    "PartialCredentialsError": CREDENTIALS,
    "CredentialRetrievalError": CREDENTIALS,
    "TokenRetrievalError": CREDENTIALS,
    "UnauthorizedSSOTokenError": CREDENTIALS,
    "DefaultCredentialsError": CREDENTIALS,
    "ClientAuthenticationError": CREDENTIALS,
    "AuthenticationException": CREDENTIALS,
    "ParamValidationError": BUCKET,
    "SSLCertVerificationError": Remedy(False, "The certificate of the endpoint is not trusted here."),
    "HTTPClientError": NETWORK,
    "ResponseParserError": NETWORK,
    "ClientPayloadError": NETWORK,
    "ClientConnectionError": NETWORK,
    "ServiceRequestError": NETWORK,
    "ServiceResponseError": NETWORK,
    "TransportError": NETWORK,
    "IncompleteRead": NETWORK,
    "SSHException": NETWORK,
    "EOFError": NETWORK,
    "gaierror": NETWORK,
    "SSLError": NETWORK,
    "ConnectionError": NETWORK,
    "TimeoutError": NETWORK,
}
_ERRNOS = {
    errno.EACCES: FOLDER_RIGHTS,
    errno.EPERM: FOLDER_RIGHTS,
    errno.EROFS: FOLDER_RIGHTS,
    errno.ENOSPC: FULL,
    errno.ENOTDIR: IN_THE_WAY,
    errno.EISDIR: IN_THE_WAY,
    errno.EEXIST: IN_THE_WAY,
    getattr(errno, "EDQUOT", errno.ENOSPC): FULL,
    getattr(errno, "ESTALE", errno.EIO): NETWORK,
    errno.EBUSY: BUSY,
    errno.EAGAIN: BUSY,
    errno.EMFILE: BUSY,
    errno.ENFILE: BUSY,
    errno.ETIMEDOUT: NETWORK,
    errno.ENETDOWN: NETWORK,
    errno.ENETUNREACH: NETWORK,
    errno.EHOSTUNREACH: NETWORK,
}


class Refused(Exception):
    """A service's refusal of one key out of many, in the shape that S3 drivers give to theirs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.response = {"Error": {"Code": code, "Message": text}}


def sync_error(error: Exception, doing: str, secrets: Iterable[str] = ()) -> SyncError:
    """The SyncError for trouble while `doing` something; `secrets` are hidden from the text, wherever they stand.

    `raise sync_error(error, …) from shown(error, secrets)`, so that no traceback shows them either.
    """
    remedy = remedy_for(error)
    reason = " ".join(redacted(str(error), secrets).split())[:_REASON_LENGTH].rstrip(". ")
    name = type(error).__name__
    because = reason if isinstance(error, OSError) and reason else f"{name}: {reason}" if reason else name
    return SyncError(f"Could not {redacted(doing, secrets)}: {because}.", remedy.hint, retryable=remedy.retryable)


def shown(error: Exception, secrets: Iterable[str] = ()) -> Exception | None:
    """The error if its text may be seen, else None."""
    secrets = tuple(secrets)
    texts = [str(part) for part in _chain(error)]
    return error if all(text == redacted(text, secrets) for text in texts) else None


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without the given secrets, and without what looks like one: users and queries of URLs, tokens, keys."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def remedy_for(error: Exception) -> Remedy:
    """What would help against an error of a driver or of the operating system."""
    chain = list(_chain(error))
    codes = [code for part in chain if (code := code_of(part))]
    statuses = [status for part in chain if (status := _status(part))]
    names = [cls.__name__ for part in chain for cls in type(part).__mro__]
    numbers = [part.errno for part in chain if isinstance(part, OSError) and part.errno]
    for table, found in ((_CODES, codes), (_STATUSES, statuses)):
        for mark in found:
            if mark in table:
                return table[mark]  # type: ignore[index]
    if any(status >= 500 for status in statuses):
        return BUSY
    if sys.platform == "win32" and any(getattr(part, "winerror", None) in (5, 32, 33) for part in chain):
        return BUSY  # another process has the file open
    return next(
        (remedy for remedy in (*map(_CLASSES.get, names), *map(_ERRNOS.get, numbers)) if remedy),
        RIGHTS if "PermissionError" in names else UNKNOWN,
    )


def code_of(error: BaseException) -> str:
    """The code that an S3 error carries, such as `NoSuchBucket`, or an empty text."""
    return str(_error_part(error).get("Code", ""))


def no_container(error: BaseException) -> bool:
    """Whether the error says that the bucket, not the key, is absent."""
    texts = [code_of(part) or str(part) for part in _chain(error)]
    return any(
        word in text for text in texts for word in ("NoSuchBucket", "ContainerNotFound", "bucket does not exist")
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _error_part(error: BaseException) -> dict[str, Any]:
    response = getattr(error, "response", None)
    part = response.get("Error") if isinstance(response, dict) else None
    return part if isinstance(part, dict) else {}


def _status(error: BaseException) -> int:
    """The HTTP status that an error carries, or 0."""
    response = getattr(error, "response", None)
    told = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None
    for found in (told, *(getattr(error, name, None) for name in ("status_code", "status", "code")), code_of(error)):
        if str(found).isdecimal() and 400 <= int(str(found)) < 600:
            return int(str(found))
    return 0
