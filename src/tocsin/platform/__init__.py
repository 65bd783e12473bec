"""The operator of the installation: its admins' visits to projects, the catalogue of plans, the usage of all.

A visit is ``open`` until its time is over, or until somebody ends it. It is a row of the project visited, so the
project sees it; what an admin may do meanwhile stands in ``tocsin.auth.visit``.
"""
