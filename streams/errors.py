"""The exceptions that Headgate raises on purpose.

HeadgateError
├── CannotDecode           a record on the log that no model accepts
├── RecordTooLarge         a record that does not fit into one produce batch
├── NothingToWaitFor       a bounded wait that ran out
├── Unavailable            a dependency is away; what was asked may be tried again
│   ├── LogUnavailable     Kafka
│   ├── StoreUnavailable   PostgreSQL
│   └── CacheUnavailable   Redis
├── ClaimLost              another process owns the partition now (exit 75)
├── Superseded             a newer process runs under this instance id (exit 76)
├── TopicsDiffer           the topics of the cluster are not the ones declared here
├── SignatureInvalid       a webhook that nobody who knows the secret has signed just now
├── WebhookUrlForbidden    a URL that webhooks must not be sent to
└── SecretUnreadable       a sealed secret that this key does not open
"""

from __future__ import annotations


class HeadgateError(Exception):
    """Everything that Headgate raises on purpose."""


class CannotDecode(HeadgateError):
    """A record that no model of this version accepts; its bytes go to the dead letters."""


class RecordTooLarge(HeadgateError):
    """A record that does not fit into one produce batch; split it or raise the limit."""


class NothingToWaitFor(HeadgateError):
    """What was waited for did not happen within its limit."""


class Unavailable(HeadgateError):
    """A dependency is away. Nothing is known to be lost; the same may be tried again."""


class LogUnavailable(Unavailable):
    """Kafka did not acknowledge in time; the records may or may not have been appended."""


class StoreUnavailable(Unavailable):
    """PostgreSQL did not answer in time; the statement may or may not have been applied."""


class CacheUnavailable(Unavailable):
    """Redis did not answer in time; the script may or may not have run."""


class ClaimLost(HeadgateError):
    """Another process owns the partition now: publish nothing, acknowledge nothing, exit 75."""


class Superseded(HeadgateError):
    """A newer process runs under this instance id: leave for good, exit 76."""


class TopicsDiffer(HeadgateError):
    """The topics of the cluster are not the ones declared here."""


class SignatureInvalid(HeadgateError):
    """A webhook whose signature, timestamp or headers do not hold, with the reason."""


class WebhookUrlForbidden(HeadgateError):
    """A URL that webhooks must not be sent to, with the reason."""


class SecretUnreadable(HeadgateError):
    """A sealed secret that this key does not open."""
