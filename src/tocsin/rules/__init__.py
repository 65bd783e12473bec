"""Rules: which events wake whom, and in which words.

Conditions (CEL) and templates (Liquid) are written by tenants and therefore untrusted. They are checked
when saved (`conditions.check`, `templates.check`) and run only in the memory-capped child behind
`evaluator.Evaluator`, by the worker's `stage` and by `trial` alike. `save` writes a rule with its targets,
patterns and version; `crowding` keeps a type from meeting too many. `matching` finds the rules that can
meet an event's type.
"""
