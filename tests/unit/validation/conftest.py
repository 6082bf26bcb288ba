"""What the tests of the validation share."""

import pytest

from tests.worlds.validation_world import World


@pytest.fixture
def world() -> World:
    return World()
