"""Types of events: what a project says about them beforehand, and which it has sent (E7).

A registered type has a JSON Schema, an example and a mode: ``off`` (only described), ``warn`` (an event that does not
fit is kept, and its story says what is wrong) or ``reject`` (it is refused at the door). Schemas are written by
tenants and therefore untrusted: `schema.check` refuses when saved whatever could not be judged within a bound.
`door` judges events before they are stored, `judge` those that a worker has claimed.
"""
