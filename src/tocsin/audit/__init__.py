"""Who changed what, when: one row for every change, written in the transaction of the change itself.

    record   written with the change; digests of its details are made by the database
    seal     within a second: numbered and hashed into the chain of its project, in one place alone
    anchor   every hour: the end of each chain goes to a file and to the log, outside the database
    verify   walks the chains and names the first entry that is not as it was

An entry is ``waiting`` until it has a ``seq``, then ``sealed``; what it says of a person can be ``erased`` and the
chain stays whole, because it is made of digests whose salts are erased along.
"""
