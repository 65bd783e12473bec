"""Why a person got what an event set off, or did not (D6): the trace of the event read for one person, in sentences.

`explanation` joins what is on record: the trace, the rules as they were, the person's deliveries and attempts.
`words` turns states and reasons into codes and sentences; `now` asks the rules of today that did not look at the
event. Nothing is kept: the answer follows the rows.
"""
