"""One rule's answer to one event: who hears, what, through which channels, and who acknowledged.

A notification is made once, in the transaction that finishes its event, together with its recipients, their
feed numbers and its deliveries. It has no state of its own: ``delivered`` and the like are summed from its
deliveries when read. Acknowledgement is the exception, for it stops things: the first one is kept on the row.
"""
