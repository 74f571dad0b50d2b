"""How many may run at once, and whose turn it is."""

from daggr.engine.scheduling.place import PER_APP, Place, place_of
from daggr.engine.scheduling.slots import SLOTS, Lease, Slots

__all__ = ["PER_APP", "SLOTS", "Lease", "Place", "Slots", "place_of"]
