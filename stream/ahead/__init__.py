"""A simulation shared by processes, with the same result as in one.

Nearly all lines are of devices that nobody has linked yet: nobody asks for their rows before the end. The process that was
called only skims such a line and hands it to a keeper, always the same one for a device, which reads it and keeps the row.
All other lines it reads itself, and decides about people. A line that carries links names all whom people may wake after it:
from that line on their rows lie with the process that decides.
"""

from stream.ahead.deciding import ReadAhead

__all__ = ["ReadAhead"]
