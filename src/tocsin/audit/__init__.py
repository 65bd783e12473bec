"""Who changed what, when: one row for every change, written in the transaction of the change itself."""
