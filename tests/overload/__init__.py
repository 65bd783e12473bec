"""More than fits, a database that hangs, restarts and upgrades under load (P6, P11)."""
