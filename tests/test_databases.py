"""Both databases are there, fresh for each test."""

import pytest
from sqlalchemy import create_engine, text

from tests.databases import Databases


@pytest.mark.parametrize("again", [1, 2])
def test_each_test_has_its_own_databases(database_urls: Databases, again: int) -> None:
    """What one test wrote, no other test finds."""
    for url in dict.fromkeys((database_urls.vault, database_urls.trial)):
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE mine (n INTEGER)"))
        engine.dispose()


def test_postgresql_listens_on_no_public_address(postgresql_urls: Databases) -> None:
    """The test server is reachable from this machine only."""
    engine = create_engine(postgresql_urls.vault)
    with engine.connect() as connection:
        listens = connection.execute(text("SHOW listen_addresses")).scalar_one()
    engine.dispose()

    assert set(str(listens).split(",")) <= {"", "127.0.0.1", "localhost", "::1"}
