"""A generator as a service over HTTP: what is asked, what is answered. Who draws is behind :class:`Backend`."""
