"""The embedded Kafka, PostgreSQL and Redis, started once for all tests that ask for `stack`."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from xdist.scheduler import LoadFileScheduling

from headgate.embedded.stack import Stack, shared
from headgate.streams.settings import Settings

# `make test` tries the same examples each time, so that it judges the change at hand; `make hunt`
# looks for new ones. Neither times an example: the machine may be busy.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("hunt", max_examples=2000, deadline=None)
hypothesis.settings.load_profile("steady")

FOLDER = pytest.StashKey[Path]()
PARENT = pytest.StashKey[int]()
SEED_NAMES = ("TEST_", "WEBHOOK_RETRY_", "UPI_SUCCESS_", "CARD_SUCCESS_", "PROCESSING_DELAY_")
AGAIN = {"system", "stream", "browser"}
"""The folders whose tests get a second try."""
BROWSER = "tests/browser/"
FAULTS_NAMES = "HEADGATE_FAULTS_"
"""How long `make faults` takes: no settings, but of the tests themselves."""


def pytest_configure(config: pytest.Config) -> None:
    """One state folder per session; with xdist all workers get the controller's."""
    for name in [n for n in os.environ if n.startswith(("HEADGATE_", *SEED_NAMES))]:
        if not name.startswith(FAULTS_NAMES):
            del os.environ[name]  # A developer's shell must not decide what the tests see.
    given = getattr(config, "workerinput", {})
    if "stack_folder" in given:
        config.stash[FOLDER] = Path(given["stack_folder"])
        config.stash[PARENT] = int(given["stack_parent"])
    else:
        config.stash[FOLDER] = _walkable_folder()
        config.stash[PARENT] = os.getpid()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell an xdist worker where the session's stack is."""
    config, given = node.config, node.workerinput  # type: ignore[attr-defined]
    given["stack_folder"] = str(config.stash[FOLDER])
    given["stack_parent"] = config.stash[PARENT]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config) -> object:
    """`--dist loadfile`, with all browser tests as one file: they share a system and a browser."""
    return Files(config) if config.getvalue("dist") == "loadfile" else None


class Files(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Which tests one process runs in a row."""

    @staticmethod
    def scope(nodeid: str) -> str:
        """The file of a test; one word for all of the browser's."""
        return BROWSER if nodeid.startswith(BROWSER) else nodeid.partition("::")[0]

    def _split_scope(self, nodeid: str) -> str:
        return self.scope(nodeid)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the servers before the first test, whose time limit they must not use up: a machine
    that has never run them fetches Kafka now."""
    wanted = any("stack" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly:
        shared(session.config.stash[FOLDER], session.config.stash[PARENT])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that kills real processes on a busy machine gets a second try; `-raR` shows it as
    RERUN, so that one that needs it often is seen. The long fault tests get none: they are run
    to see a failure."""
    for item in items:
        if AGAIN & set(item.path.parts) and not item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the stack, also after Ctrl-C, and delete its folder."""
    if not hasattr(config, "workerinput") and FOLDER in config.stash:
        Stack(config.stash[FOLDER]).stop()


def _walkable_folder() -> Path:
    """A temporary folder that PostgreSQL may walk to when it runs as `nobody`."""
    folder = Path(tempfile.mkdtemp(prefix="headgate-tests-"))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Stack:
    """The servers of this test session. A test that breaks one repairs it before it ends.

    With xdist it is shared by all workers: a test that breaks a server uses `own_stack` there.
    """
    return shared(pytestconfig.stash[FOLDER], pytestconfig.stash[PARENT])


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """Servers that only this test uses and may break at will; they take 3 s to start."""
    own = Stack(_walkable_folder())
    try:
        own.up(os.getpid())
        yield own
    finally:
        own.stop()


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace: its topics, schema and keys are nobody else's, and go with the test."""
    name = f"t{secrets.token_hex(5)}"
    yield name
    for fixture in {"stack", "own_stack"} & set(request.fixturenames):
        used = request.getfixturevalue(fixture)
        if used.is_up():
            asyncio.run(_forget(used, name))


@pytest.fixture
def live_settings(stack: Stack, namespace: str) -> Settings:
    """Settings of a fresh namespace on the session's servers. Four partitions, to start fast."""
    return settings_of(stack, namespace)


def settings_of(stack: Stack, namespace: str) -> Settings:
    """The settings that a process with `stack.environment(namespace)` would read."""
    return Settings(
        kafka=stack.kafka,
        redis=stack.redis,
        postgres=stack.postgres,
        state_dir=stack.state_dir,
        secret_key=stack.addresses.secret_key,
        namespace=namespace,
        webhook_allow_loopback=True,
        test_mode=True,
        test_processing_delay_ms=0,
        partitions=4,
        writes_per_s_test=0,
        writes_per_s_live=0,
        reads_per_s_test=0,
        reads_per_s_live=0,
        payment_writes_per_min=0,
        wrong_keys_per_min=0,
    )


async def _forget(stack: Stack, namespace: str) -> None:
    """Delete a namespace's topics and schema, so that hundreds of tests do not pile up."""
    settings = settings_of(stack, namespace)
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        topics = [name for name in await admin.list_topics() if name.startswith(settings.prefix)]
        if topics:
            await admin.delete_topics(topics)
    finally:
        await admin.close()
    connection = await asyncpg.connect(stack.postgres, timeout=10)
    try:
        await connection.execute(f'DROP SCHEMA IF EXISTS "{settings.schema_name}" CASCADE')
    finally:
        await connection.close()
