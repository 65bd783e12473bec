"""The OpenAPI document as a text that is the same on every machine."""

import json
from pathlib import Path

from fastapi import FastAPI

from tocsin.app import create_app
from tocsin.documented import build
from tocsin.kit.crypto import MasterKey
from tocsin.settings import Settings


def openapi_text() -> str:
    """JSON with sorted keys and a final line break. Opens no connection and makes no file."""
    settings = Settings.model_construct(
        **{name: field.get_default() for name, field in Settings.model_fields.items()}, home=Path()
    )
    application = create_app(settings, "postgresql://nobody@localhost/nowhere", MasterKey(bytes(32))).app
    assert isinstance(application, FastAPI)
    return json.dumps(build(application), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
