"""Credentials and settings for one provider account: whose they are, and which of them sends.

States: ``pending`` (not verified yet), ``active``, ``rate_limited`` (the provider asked for a pause), ``error``
(its credentials were refused), ``suspended`` (an admin stopped it, with a reason). Only active ones send.

``choose.py`` says which one sends a delivery, ``defaults.py`` what the operator gave; ``routes.py`` is the rest of
their life, with ``configuration.py`` (what a provider's forms take), ``trial.py`` (verifying) and ``rows.py``.
"""
