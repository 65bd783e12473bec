"""What the operator sees and does: admins, projects and visits to them, plans, usage, settings at run time, figures.

Platform admins are users of the platform's own project, which ``prepare`` gives its roles. Figures of all projects
are read with a login of their own (``Gate.across``), which counts rows and sees no word of anybody; whatever is
changed in a project is changed inside it (``Call.inside``), and stands in its audit log and in the platform's.

States of an admin: ``invited`` (has a link and no password yet), ``active``, ``disabled``.

A visit is ``open`` until its time is over, or until somebody ends it. It is a row of the project visited, so the
project sees it; what an admin may do meanwhile stands in ``tocsin.auth.visit``.
"""
