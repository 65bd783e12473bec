"""How people come in and leave: sign-up, password, registration of an app's user, sessions.

A session is ``live`` until it expires, is ended (logout, block, theft of a refresh token) or its user goes.
"""
