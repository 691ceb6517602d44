"""Connections that ask for nothing are closed: whoever opens many keeps nobody else out for long."""

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 10.0  # for a request to be there, from its first byte to its last header
MOST = 256  # connections at a time; more are told to come back


class Patience(H11Protocol):
    """HTTP as Uvicorn speaks it, with an end to waiting for a request after `seconds`, or twice as many."""

    def __init__(self, *args, seconds: float, **kwargs):
        super().__init__(*args, **kwargs)
        self._seconds = seconds

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self.loop.call_later(self._seconds, self._look, False)

    def _look(self, waited: bool) -> None:
        """Closes the connection if it waited for a request at the last look, too."""
        if self.transport.is_closing():
            return
        waits = self.conn.their_state is h11.IDLE
        if waits and (waited or self.cycle is None):
            self.transport.close()
        else:
            self.loop.call_later(self._seconds, self._look, waits)
