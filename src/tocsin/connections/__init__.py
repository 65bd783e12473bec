"""Credentials and settings for one provider account: whose they are, and which of them sends.

They belong to a person, to the project, or to the platform, which lends them (``owner``).

States: ``pending`` (not verified yet), ``active``, ``rate_limited`` (the provider asked for a pause), ``error``
(its credentials were refused), ``suspended`` (an admin stopped it, with a reason). Only active ones send.

``levels.py`` says which one sends a delivery, ``choose.py`` opens it, ``defaults.py`` is what the operator gave,
``reachability.py`` whom each may be used for; ``routes.py`` is the rest of their life, with ``configuration.py`` (what
a provider's forms take), ``storing.py``, ``trial.py`` (verifying), ``limits.py`` and ``rows.py``; ``within.py`` is what
they work in. ``stepping_in.py`` is for admins who act on those of others, ``platform_routes.py`` for the operator.
"""
