"""What providers tell us: taken in at an address of each connection's own, worked on afterwards.

    routes     a call of a provider -> is it genuine -> rows, 2xx at once
    poll       asking a provider that cannot call -> rows
    stage      rows -> what follows from them, connection by connection, in the order in which they came
    receivers  which provider's items mean what: a module or package for each
    links      by which a person shows which address at a provider is theirs

States of an item: ``received`` (stored, not worked on yet), ``processed``, ``ignored`` (nothing follows from it) and
``failed`` (given up after several tries). All are kept for seven days at least, as long as providers repeat themselves,
so the same item never counts twice.
"""
