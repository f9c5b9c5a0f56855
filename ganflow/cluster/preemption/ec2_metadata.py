"""The notices that an EC2 instance gets about its end, from the instance metadata service (IMDSv2)."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime

ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
ENDPOINT = "http://169.254.169.254"
DISABLED_VARIABLE = "AWS_EC2_METADATA_DISABLED"
TIMEOUT_S = 2.0
TOKEN_S = 6 * 3600
WARNING_S = 120.0  # a spot instance's, where no time is told
_INTERRUPTION = "/latest/meta-data/spot/instance-action"
_REBALANCE = "/latest/meta-data/events/recommendations/rebalance"


@dataclass(frozen=True)
class Notice:
    """An announcement. ``at``: when the instance ends; None for a rebalance recommendation, which sets no time."""

    kind: str  # as in "spot terminate", or "rebalance"
    at: datetime | None

    def seconds_left(self) -> float:
        return WARNING_S if self.at is None else max(0.0, (self.at - datetime.now(UTC)).total_seconds())


class MetadataError(Exception):
    """No answer, or not one of the service."""


class Metadata:
    """The service at an address; ``notices`` asks it."""

    def __init__(self, endpoint: str | None = None) -> None:
        self.endpoint = (endpoint or os.environ.get(ENDPOINT_VARIABLE) or ENDPOINT).rstrip("/")
        self._token: str | None = None
        # A link-local address means this machine's own, and no proxy's.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def notices(self) -> list[Notice]:
        """The notice that stands now, an interruption first.

        Raises:
            MetadataError: no answer, or not one of the service.
        """
        notices = []
        if (text := self._get(_INTERRUPTION)) is not None:
            notices.append(_interruption(text))
        if self._get(_REBALANCE) is not None:
            notices.append(Notice("rebalance", None))
        return notices

    def _get(self, path: str) -> str | None:
        """The text at a path; None where there is none (404). A token that has expired is renewed once."""
        for _ in range(2):
            self._token = self._token or self._fetch("PUT", "/latest/api/token", {
                "X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S)
            })  # fmt: skip
            try:
                return self._fetch("GET", path, {"X-aws-ec2-metadata-token": self._token})
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                self._token = None
                if error.code != 401:
                    raise MetadataError(f"HTTP {error.code}") from None
        raise MetadataError("it refuses its own token (HTTP 401)")

    def _fetch(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(self.endpoint + path, method=method, headers=headers)
        try:
            with self._open(request, timeout=TIMEOUT_S) as answer:
                return str(answer.read(4096).decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            error.close()
            if method == "PUT":
                raise MetadataError(f"no token: HTTP {error.code}") from None
            raise
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise MetadataError(f"{getattr(reason, 'strerror', None) or reason}".lower()) from None


def disabled() -> bool:
    """True if the environment says that there is no such service here."""
    return os.environ.get(DISABLED_VARIABLE, "").lower() == "true"


def _interruption(text: str) -> Notice:
    try:
        notice = json.loads(text)
        return Notice(f"spot {notice['action']}", datetime.fromisoformat(notice["time"]).astimezone(UTC))
    except (ValueError, KeyError, TypeError):
        raise MetadataError(f"a notice that cannot be read: {text[:80]!r}") from None
