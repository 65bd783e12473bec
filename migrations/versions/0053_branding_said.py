"""Templates see how the project looks, as layouts of mails do."""

from tocsin.kit.migrate import as_owner

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    as_owner(SAID)


# Under the names that layouts have; null where the project has set none of it. A statement that asks for several
# projects sets the scope of each, so it is no plain sub-select: what that sees of the scope is found once.
SAID = """
CREATE FUNCTION tocsin.branding_said(project uuid) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true);
    RETURN (
        SELECT pg_catalog.json_object_agg(b.key, b.value)
        FROM tocsin.projects p CROSS JOIN LATERAL pg_catalog.json_each(p.branding) AS b
        WHERE p.id = project AND b.key IN ('logoUrl', 'brandColor', 'emailFooter')
            AND pg_catalog.json_typeof(b.value) = 'string');
END $$;
REVOKE ALL ON FUNCTION tocsin.branding_said FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.branding_said TO {app};
"""
