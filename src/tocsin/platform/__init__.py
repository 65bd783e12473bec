"""What the operator sees and does: platform admins, projects, settings at run time, the figures of the installation.

Platform admins are users of the platform's own project, which ``prepare`` gives its roles. Figures of all projects
are read with a login of their own (``Gate.across``), which counts rows and sees no word of anybody; whatever is
changed in a project is changed inside it (``Call.inside``), and stands in its audit log and in the platform's.

States of an admin: ``invited`` (has a link and no password yet), ``active``, ``disabled``.
"""
