"""Which tracks a description carries, by the server's map or by its msid lines."""

from __future__ import annotations

from kitwire.view.bindings import bound_tracks

OLD_OFFER = "\r\n".join(
    [
        "v=0",
        "a=msid:PA_no TR_before_any_section",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:0",
        "a=sendrecv",
        "a=msid:PA_a|cam TR_audio",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=mid:1",
        "a=sendonly",
        "a=msid:PA_b TR_video",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=mid:2",
        "a=inactive",
        "a=msid:PA_b TR_gone",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:3",
        "a=recvonly",
        "a=msid:PA_c TR_ours",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:4",
        "a=sendonly",
        "a=msid:stream some-other-id",
        "",
    ]
)


def test_the_map_is_what_counts() -> None:
    assert bound_tracks(OLD_OFFER, {"0": "TR_1", "7": "TR_2"}) == {"TR_1", "TR_2"}


def test_without_a_map_the_sections_that_send_say_it() -> None:
    assert bound_tracks(OLD_OFFER, {}) == {"TR_audio", "TR_video"}


def test_nothing_is_nothing() -> None:
    assert bound_tracks("", {}) == set()
    assert bound_tracks("not a description", {}) == set()
