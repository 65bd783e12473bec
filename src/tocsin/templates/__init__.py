"""Words that a project keeps apart from its rules: texts that rules name, and its own wording of Tocsin's mails.

A template has a kind: ``notification`` (title and message by language and channel, named by rules), ``digest`` (the
same of what a rule gathers), ``system_mail`` (what an invitation or a link for a new password says; without one the
words of `mail.words` stand) or ``layout`` (the HTML around what notifications say by mail). Words are Liquid, written
by tenants and therefore printed in the evaluator's child; a layout is none, see `channels.layout`. `mails` words a mail
in the worker, `preview` shows what a template prints, and nothing is sent.
"""
