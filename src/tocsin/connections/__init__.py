"""Credentials and settings for one provider account: whose they are, and which of them sends.

States: ``pending`` (not verified yet), ``active``, ``rate_limited`` (the provider asked for a pause), ``error``
(its credentials were refused), ``suspended`` (an admin stopped it, with a reason). Only active ones send.
"""
