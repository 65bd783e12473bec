"""What a project may and what it has used: plans, quotas, totals, features, usage.

A plan is a row of the platform's project, a project's ``overrides`` go over it, and ``entitlements`` is the one
answer to what is allowed. Three kinds of limits follow from it:

- quotas of a month (events, notifications) and of the sandbox's day, counted in the transaction of the rows they
  count, exact for any number of processes (``monthly``; for events the database itself, in ``ingest_events``)
- totals (users, rules, ...), counted when something is added, one transaction of the project at a time (``totals``)
- features, which are there or not (``entitlements.check_feature``)

A limit that is null is none. What a project has beyond a limit after a downgrade stays; only new things are refused.
Usage is counted by the hour from the rows there are (``rollup``) and summed when read (``usage``).
"""
