"""Small named tools without business words: database, scope, engines, broker, the one door out, crypto, errors.

Everything may import from here; nothing here imports from a feature.
"""
