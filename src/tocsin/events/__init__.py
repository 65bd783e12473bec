"""Events come in: authenticated, validated, deduplicated and stored in groups before they are answered.

States of an event: ``received`` (durable, waits for its rules), ``leased`` (a worker matches it),
``processed``, ``failed`` (it ended three workers, or its rules could not be run). Answers call the first two
``received``.
"""
