"""Runs inside the connection that `tocsin migrate` opened; every table is made by the owning role."""

from alembic import context

from tocsin.kit.db import SCHEMA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table="alembic_version",
    version_table_schema=SCHEMA,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
