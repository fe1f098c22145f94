"""A simulation shared by processes, with the same result as in one.

Nearly all events are by devices that nobody has linked yet: nobody asks for their rows before the end. One process reads the
lines, two keep the rows of such devices, and the one that called decides about people. An event that carries links names all
whom people may wake after it: from that line on their rows lie with the process that decides.
"""

from stream.ahead.processes import ReadAhead

__all__ = ["ReadAhead"]
