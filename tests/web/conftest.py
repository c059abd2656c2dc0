"""A page of a study whose model is never needed."""

import shutil

import pytest
from browser import PORT, Browser

from corrigible.web.app import app_of
from corrigible.workflow.reviews.review import Review
from reviewed import Known, untrained


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("untrained") / "study")


@pytest.fixture
def study(made, tmp_path):
    return shutil.copytree(made, tmp_path / "study")


@pytest.fixture
def review(study):
    return Review(study, look_with=Known)


@pytest.fixture
def browser(review):
    guard = app_of(lambda: review, port=PORT)
    with Browser(guard) as client:
        client.get(f"/?token={guard.token}")
        yield client
