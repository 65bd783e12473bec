"""An override of overage that can be counted with."""

from tocsin.kit.migrate import as_owner

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    as_owner(OVERRIDES)


# What stands in it is read by every event of the project, so what would fail there is refused when it is written.
OVERRIDES = """
CREATE OR REPLACE FUNCTION tocsin.sound_overrides(overrides json) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN overrides IS NULL OR (pg_catalog.json_typeof(overrides) = 'object'
        AND COALESCE(pg_catalog.json_typeof(overrides->'overage') IN ('boolean', 'null'), true)
        AND NOT pg_catalog.jsonb_path_exists(overrides::jsonb,
            'strict $.quotas.* ? (@ != null && (@.type() != "number" || @ < 0 || @ > 1000000000000000 || @ % 1 != 0))',
            silent => true)
        AND NOT pg_catalog.jsonb_path_exists(overrides::jsonb,
            'strict $.features.* ? (@.type() != "boolean")', silent => true));
"""
