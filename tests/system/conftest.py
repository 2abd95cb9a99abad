"""The running platform of the system tests: started once, by `up`, in a folder of its own."""

from collections.abc import Iterator

import pytest

from tests.support.stack import running_stack


@pytest.fixture(scope="session")
def platform_variables(
    tmp_path_factory: pytest.TempPathFactory,
    mongo_uri: str,
    amqp_url: str,
    object_store: dict[str, str],
) -> Iterator[dict[str, str]]:
    """Return the variables that `.touchpoint/env` would hold."""
    given = {"MONGO_URI": mongo_uri, "AMQP_URL": amqp_url, **object_store}
    with running_stack(tmp_path_factory.mktemp("platform"), given) as variables:
        yield variables
