"""The LiveKit signaling protocol as a state machine without I/O.

Every public name is here, and is loaded when it is first used: importing ``kitwire`` costs next to
nothing, and what a connection needs (websockets, h11, the messages) loads when a Client is made.
The typed messages are in :mod:`kitwire.messages`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from . import messages
    from .client import (
        Client,
    )
    from .commands import (
        ClientCommand,
        CloseLink,
        Command,
        Dial,
        HttpGet,
        LinkId,
        OpenLink,
        SendMessage,
        SessionCommand,
        Write,
    )
    from .config import (
        ClientConfig,
        ClientOptions,
        Encoding,
        Limits,
        PathVersion,
        Timeouts,
        TokenPlacement,
    )
    from .errors import (
        CloseReason,
        ConnectFailed,
        DialError,
        FailureReason,
        KitwireError,
        LocalProtocolError,
        MalformedFrame,
        Origin,
        Reason,
        RequestFailed,
        RequestFailure,
    )
    from .events import (
        AnswerReceived,
        Closed,
        ConnectionQualityChanged,
        DataBlobReceived,
        DataBlobStored,
        DataTrackPublished,
        DataTrackSubscriberHandlesChanged,
        DataTrackUnpublished,
        EchoedRequest,
        Event,
        FrameRejected,
        Joined,
        LeaveReceived,
        LegacyPongReceived,
        MediaSectionsRequired,
        MuteReceived,
        OfferReceived,
        ParticipantsUpdated,
        PongReceived,
        ProtocolViolated,
        RequestEnded,
        RequestKey,
        RequestQueued,
        RequestResponseReceived,
        RequestResult,
        RoomMoved,
        RoomUpdated,
        ServerEvent,
        SpeakersChanged,
        StreamStatesChanged,
        SubscribedAudioCodecsChanged,
        SubscribedQualityChanged,
        SubscriptionFailed,
        SubscriptionPermissionChanged,
        TokenRefreshed,
        TrackPublished,
        TrackSubscribed,
        TrackUnpublished,
        TrickleReceived,
        UnknownMessage,
    )
    from .room import (
        Room,
    )
    from .session.phases import (
        Phase,
    )
    from .session.session import (
        Session,
    )
    from .session.timers import (
        Timer,
        TimerTable,
    )
    from .trace import (
        TraceRecord,
    )

# Which module each public name is in.
_NAMES = {
    "AnswerReceived": "events",
    "Client": "client",
    "ClientCommand": "commands",
    "ClientConfig": "config",
    "ClientOptions": "config",
    "CloseLink": "commands",
    "CloseReason": "errors",
    "Closed": "events",
    "Command": "commands",
    "ConnectFailed": "errors",
    "ConnectionQualityChanged": "events",
    "DataBlobReceived": "events",
    "DataBlobStored": "events",
    "DataTrackPublished": "events",
    "DataTrackSubscriberHandlesChanged": "events",
    "DataTrackUnpublished": "events",
    "Dial": "commands",
    "DialError": "errors",
    "EchoedRequest": "events",
    "Encoding": "config",
    "Event": "events",
    "FailureReason": "errors",
    "FrameRejected": "events",
    "HttpGet": "commands",
    "Joined": "events",
    "KitwireError": "errors",
    "LeaveReceived": "events",
    "LegacyPongReceived": "events",
    "Limits": "config",
    "LinkId": "commands",
    "LocalProtocolError": "errors",
    "MalformedFrame": "errors",
    "MediaSectionsRequired": "events",
    "MuteReceived": "events",
    "OfferReceived": "events",
    "OpenLink": "commands",
    "Origin": "errors",
    "ParticipantsUpdated": "events",
    "PathVersion": "config",
    "Phase": "session.phases",
    "PongReceived": "events",
    "ProtocolViolated": "events",
    "Reason": "errors",
    "RequestEnded": "events",
    "RequestFailed": "errors",
    "RequestFailure": "errors",
    "RequestKey": "events",
    "RequestQueued": "events",
    "RequestResponseReceived": "events",
    "RequestResult": "events",
    "Room": "room",
    "RoomMoved": "events",
    "RoomUpdated": "events",
    "SendMessage": "commands",
    "ServerEvent": "events",
    "Session": "session.session",
    "SessionCommand": "commands",
    "SpeakersChanged": "events",
    "StreamStatesChanged": "events",
    "SubscribedAudioCodecsChanged": "events",
    "SubscribedQualityChanged": "events",
    "SubscriptionFailed": "events",
    "SubscriptionPermissionChanged": "events",
    "Timeouts": "config",
    "Timer": "session.timers",
    "TimerTable": "session.timers",
    "TokenPlacement": "config",
    "TokenRefreshed": "events",
    "TraceRecord": "trace",
    "TrackPublished": "events",
    "TrackSubscribed": "events",
    "TrackUnpublished": "events",
    "TrickleReceived": "events",
    "UnknownMessage": "events",
    "Write": "commands",
}

__all__ = [
    "AnswerReceived",
    "Client",
    "ClientCommand",
    "ClientConfig",
    "ClientOptions",
    "CloseLink",
    "CloseReason",
    "Closed",
    "Command",
    "ConnectFailed",
    "ConnectionQualityChanged",
    "DataBlobReceived",
    "DataBlobStored",
    "DataTrackPublished",
    "DataTrackSubscriberHandlesChanged",
    "DataTrackUnpublished",
    "Dial",
    "DialError",
    "EchoedRequest",
    "Encoding",
    "Event",
    "FailureReason",
    "FrameRejected",
    "HttpGet",
    "Joined",
    "KitwireError",
    "LeaveReceived",
    "LegacyPongReceived",
    "Limits",
    "LinkId",
    "LocalProtocolError",
    "MalformedFrame",
    "MediaSectionsRequired",
    "MuteReceived",
    "OfferReceived",
    "OpenLink",
    "Origin",
    "ParticipantsUpdated",
    "PathVersion",
    "Phase",
    "PongReceived",
    "ProtocolViolated",
    "Reason",
    "RequestEnded",
    "RequestFailed",
    "RequestFailure",
    "RequestKey",
    "RequestQueued",
    "RequestResponseReceived",
    "RequestResult",
    "Room",
    "RoomMoved",
    "RoomUpdated",
    "SendMessage",
    "ServerEvent",
    "Session",
    "SessionCommand",
    "SpeakersChanged",
    "StreamStatesChanged",
    "SubscribedAudioCodecsChanged",
    "SubscribedQualityChanged",
    "SubscriptionFailed",
    "SubscriptionPermissionChanged",
    "Timeouts",
    "Timer",
    "TimerTable",
    "TokenPlacement",
    "TokenRefreshed",
    "TraceRecord",
    "TrackPublished",
    "TrackSubscribed",
    "TrackUnpublished",
    "TrickleReceived",
    "UnknownMessage",
    "Write",
    "__version__",
    "messages",
]


# A type checker that saw this would believe that every name exists.
if not TYPE_CHECKING:  # pragma: no branch

    def __getattr__(name: str) -> object:
        """Load a public name where it is (PEP 562)."""
        if name == "messages":
            return import_module(".messages", __name__)
        try:
            module = _NAMES[name]
        except KeyError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
        value = getattr(import_module(f".{module}", __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
