"""The Pusher Channels protocol server: sockets, channels, presence, client events, user sign-in (W1, W2).

A socket is first *admitted* (its key names an app that may be used), then *open*, then *closing*: out of
every channel, its close code on the way. Nothing here knows the database: ``RealtimeServer`` is given a
function that finds an app by its public key, and ``Hub.broadcast`` is what the rest of the product calls
after its commit. ``transport.websocket_protocol`` makes the class that uvicorn serves sockets with.
"""
