"""How people come in and leave: sign-up, password, registration of an app's user, invitations, sessions.

A session is ``live`` until it expires, is ended (logout, block, theft of a refresh token, a new password) or its
user goes.

States of an invitation: ``open`` (its link works), ``expired`` (open, and past its time), ``accepted`` (the person
came), ``withdrawn`` (taken back, or replaced by a newer one).
"""
