"""The HTML around what a mail says, as a project wrote it (P4).

It is read into a tree by `tree`, and `check` names each thing that cannot stay, at its place. `around` writes it anew
for a mail. What is written has passed nh3, a sanitiser that knows nothing of how we read; values are put in behind it,
escaped, so that nothing an event or a person brings along is ever read as HTML.

There is no Liquid in it: variables stand in the places that `variables` lists, and what has a variable without a value
is left out.
"""
