"""The OpenAPI document as a text that is the same on every machine."""

import json

from fastapi import FastAPI

from tocsin.app import create_app
from tocsin.documented import build
from tocsin.kit.crypto import MasterKey
from tocsin.settings import Settings

_NOWHERE = "postgresql://nobody@localhost/nowhere"


def openapi_text() -> str:
    """JSON with sorted keys and a final line break. Opens no connection and makes no file."""
    settings = Settings.model_construct()  # the defaults, whatever the environment says
    application = create_app(settings, _NOWHERE, _NOWHERE, MasterKey(bytes(32))).app
    assert isinstance(application, FastAPI)
    return json.dumps(build(application), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
