"""One linear history of the schema, expand then contract."""
