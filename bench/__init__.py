"""How fast Tocsin is, as ratios to floors measured in the same run: ``python -m bench [scenario ...]``.

Every scenario starts the real thing: PostgreSQL with fsync on a real disk, `tocsin api`, `tocsin worker`. It is driven
from separate processes over loopback, a ledger counts what was acknowledged against what is there, and a run whose
ledger does not balance, or whose floor or ratio moved by more than 15 %, is void.
"""
