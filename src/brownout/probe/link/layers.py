"""TLS and websockets as layers between a socket's bytes and a protocol's, without input and output of their own."""

import ssl
from typing import Protocol

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol
from websockets.uri import WebSocketURI

from brownout.probe.protocols.failures import AuthFailedError, ClosedError, ProtocolError, RefusedError

__all__ = ["Layer", "Stack", "TlsLayer", "WebSocketLayer", "anonymous_context"]

FORBIDDEN = frozenset({401, 403, 407})


class Layer(Protocol):
    """A layer that bytes pass through."""

    @property
    def ready(self) -> bool:
        """Whether its own handshake is over."""

    def receive(self, data: bytes) -> bytes:
        """Bytes from outside; returns those for inside."""

    def send(self, data: bytes) -> None:
        """Bytes from inside."""

    def pending(self) -> bytes:
        """Bytes for outside, each once."""


class Stack:
    """Layers over each other, none at first; the last one added is the innermost."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []
        self._wire = bytearray()

    @property
    def ready(self) -> bool:
        """Whether all handshakes are over."""
        return all(layer.ready for layer in self._layers)

    def add(self, layer: Layer) -> None:
        """Add a layer for all later data; what was sent before goes out without it."""
        self._pump()
        self._layers.append(layer)

    def receive(self, data: bytes) -> bytes:
        """Bytes from the socket; returns those for the protocol."""
        for layer in self._layers:
            data = layer.receive(data)
        return data

    def send(self, data: bytes) -> None:
        """Bytes of the protocol."""
        if data and self._layers:
            self._layers[-1].send(data)
        else:
            self._wire += data

    def pending(self) -> bytes:
        """Bytes for the socket, each once."""
        self._pump()
        wire = bytes(self._wire)
        self._wire.clear()
        return wire

    def _pump(self) -> None:
        """From the innermost layer outwards, as far as the layers around it are ready."""
        for depth in reversed(range(len(self._layers))):
            around = self._layers[:depth]
            if all(layer.ready for layer in around):
                data = self._layers[depth].pending()
                for layer in reversed(around):
                    if data:
                        layer.send(data)
                    data = layer.pending()
                self._wire += data


class TlsLayer:
    """TLS on memory buffers."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host if context.check_hostname else None)
        self.ready = False
        self._shake()

    def receive(self, data: bytes) -> bytes:
        """Bytes from outside; raises ssl.SSLError, and ClosedError where the server ends TLS."""
        self._in.write(data)
        if not self.ready:
            self._shake()
        plain = bytearray()
        while self.ready:
            try:
                part = self._tls.read(65_536)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                part = b""
            if not part:
                if plain:
                    break
                raise ClosedError("the server ended TLS")
            plain += part
        return bytes(plain)

    def send(self, data: bytes) -> None:
        """Bytes from inside; only once the handshake is over."""
        self._tls.write(data)

    def pending(self) -> bytes:
        """Bytes for outside."""
        return self._out.read()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.ready = True


class WebSocketLayer:
    """A websocket as noVNC opens it: binary frames, the page's own origin."""

    def __init__(self, uri: WebSocketURI, headers: dict[str, str], *, most: int) -> None:
        scheme = "https" if uri.secure else "http"
        port = "" if uri.port == (443 if uri.secure else 80) else f":{uri.port}"
        host = f"[{uri.host}]" if ":" in uri.host else uri.host
        self._protocol = ClientProtocol(
            uri,
            origin=Origin(f"{scheme}://{host}{port}"),
            subprotocols=[Subprotocol("binary")],
            max_size=most,
        )
        request = self._protocol.connect()
        for name, value in headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)

    @property
    def ready(self) -> bool:
        """Whether the proxy switched to websockets."""
        return self._protocol.state is not State.CONNECTING

    def receive(self, data: bytes) -> bytes:
        """Bytes from outside; raises ProbeFailure where the proxy refuses or breaks the protocol."""
        self._protocol.receive_data(data)
        plain = bytearray()
        closed = False
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                closed = closed or event.opcode is Opcode.CLOSE
                if event.opcode in {Opcode.BINARY, Opcode.TEXT, Opcode.CONT}:
                    plain += event.data
        if (error := self._protocol.handshake_exc) is not None:
            raise _refusal(error) from None
        if (error := self._protocol.parser_exc) is not None:
            raise ProtocolError(f"no websocket: {error}") from None
        if closed and not plain:
            raise ClosedError("the proxy closed the websocket")
        return bytes(plain)

    def send(self, data: bytes) -> None:
        """Bytes from inside."""
        self._protocol.send_binary(data)

    def pending(self) -> bytes:
        """Bytes for outside."""
        return b"".join(self._protocol.data_to_send())


def anonymous_context() -> ssl.SSLContext:
    """TLS without certificates, as VeNCrypt's TLSNone and TLSVnc have it: anonymous Diffie-Hellman."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # there is no certificate to verify, which is what the site chose
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # the last one that has anonymous key exchange
    context.set_ciphers("ADH:AECDH:@SECLEVEL=0")
    return context


def _refusal(error: Exception) -> Exception:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        kind = AuthFailedError if status in FORBIDDEN else RefusedError
        return kind(f"the proxy answered {status}")
    if isinstance(error, InvalidHandshake):
        return ProtocolError(f"no websocket: {error}")
    return ClosedError("the proxy closed the connection before its answer")
