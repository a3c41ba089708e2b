"""A hospital's answers, taken once over real HTTP and given again from memory: the client works, nobody waits."""

import httpx


class Replayed(httpx.BaseTransport):
    """Asks the network what it has not been asked before; the same question gets the same bytes."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, httpx.Headers, bytes]] = {}
        self.fetched = 0
        self.met: set[tuple[str, str]] = set()
        self._network = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, compressed or not as the server gave it."""
        key = (request.method, str(request.url))
        self.met.add(key)
        if key not in self.answers:
            self.fetched += 1
            response = self._network.handle_request(request)
            assert isinstance(response.stream, httpx.SyncByteStream)
            body = b"".join(response.stream)
            response.close()
            self.answers[key] = response.status_code, response.headers, body
        status, headers, body = self.answers[key]
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body), request=request)

    def pages(self) -> list[bytes]:
        """The searchsets that were answered since `met` was cleared, as plain JSON."""
        given = [self.answers[key] for key in sorted(self.met)]
        plain = [httpx.Response(status, headers=headers, content=body).content for status, headers, body in given]
        return [body for body in plain if b'"searchset"' in body[:4096]]

    def close(self) -> None:
        """Stays open: every hospital's client closes it, and the next one goes on."""
