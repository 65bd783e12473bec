"""People known to a project: who they are, where they can be reached, which roles they have.

States of a user: ``pending`` (registered alone, waits for approval), ``unverified`` (must confirm the e-mail
first), ``active``, ``disabled``. Only active users receive anything.
"""
