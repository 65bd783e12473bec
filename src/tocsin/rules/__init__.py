"""Rules: which events wake whom, and in which words.

Conditions (CEL) and templates (Liquid) are written by tenants and therefore untrusted. They are checked
when saved (`conditions.check`, `templates.check`) and run only in the memory-capped child behind
`evaluator.Evaluator`. `matching` finds the rules that can meet an event's type.
"""
