"""Links: the WebSocket, plain GETs and URLs, as bytes in and bytes out.

* :mod:`kitwire.link.websocket`: both sides of a WebSocket, upgrade included.
* :mod:`kitwire.link.http`: one HTTP GET and its answer.
* :mod:`kitwire.link.address`: what the URLs and header fields of LiveKit's signaling say.
* :mod:`kitwire.link.url`: URLs taken apart, without any meaning.

Nothing is imported here, so that whoever needs one of them does not load the others.
"""
