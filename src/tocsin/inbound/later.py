"""What came too early."""


class NotYet(Exception):
    """An item that can only be understood after something else was recorded. It is tried again, later each time; what
    never becomes clear is ignored in the end, for the reason given."""
