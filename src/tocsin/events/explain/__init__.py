"""Why a person got what an event set off, or did not (D6): the trace of the event read for one person, in sentences.

`record` reads what is kept: rules as they were, the person's deliveries and attempts; `explanation` joins it to the
trace. `words` turns states and reasons into codes and sentences; `now` asks the rules of today that did not look at the
event. Nothing is kept: the answer follows the rows.
"""
