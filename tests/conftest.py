"""What all tests share."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Measurements of the tests are neither taken from nor left in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MATDESIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
