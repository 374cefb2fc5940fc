"""One of gRPC's interop cases (grpc/doc/interop-test-descriptions.md) with gRPC's C core.

    python3 grpc_core_client.py HOST:PORT CASE

Ends with 0 where the case passes; says what was wrong otherwise. Messages are written by hand, so that
no generated code is needed: only the package grpcio.
"""

import sys
import threading

import grpc

SERVICE = "/grpc.testing.TestService/"
LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159
REQUEST_SIZES = [27182, 8, 1828, 45904]
RESPONSE_SIZES = [31415, 9, 2653, 58979]
WAIT = 30


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value) if value else b""


def message(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def fields(data):
    """Field numbers with their values: numbers, or bytes."""
    found, at = {}, 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = read()
        if tag & 7 == 0:
            found[tag >> 3] = read()
        elif tag & 7 == 2:
            size = read()
            found[tag >> 3] = data[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {tag & 7}")
    return found


def payload(size):
    return message(2, bytes(size))


def simple_request(response_size, body_size=0, status=b""):
    body = message(3, payload(body_size)) if body_size else b""
    return number(2, response_size) + body + status


def echo_status(code, text):
    return message(7, number(1, code) + message(2, text.encode()))


def streaming_request(response_size=None, body_size=0, status=b""):
    sizes = message(2, number(1, response_size)) if response_size is not None else b""
    return sizes + (message(3, payload(body_size)) if body_size else b"") + status


def body_size(response):
    return len(fields(fields(response).get(1, b"")).get(2, b""))


def expect(actual, wanted, what):
    if actual != wanted:
        raise AssertionError(f"{what}: {actual!r}, not {wanted!r}")


def fails(call, code, text=None):
    try:
        call()
    except grpc.RpcError as error:
        expect(error.code(), code, "code")
        if text is not None:
            expect(error.details(), text, "message")
        return
    raise AssertionError(f"it did not fail with {code}")


class Stub:
    def __init__(self, channel):
        self.empty = channel.unary_unary(SERVICE + "EmptyCall")
        self.unary = channel.unary_unary(SERVICE + "UnaryCall")
        self.input = channel.stream_unary(SERVICE + "StreamingInputCall")
        self.output = channel.unary_stream(SERVICE + "StreamingOutputCall")
        self.duplex = channel.stream_stream(SERVICE + "FullDuplexCall")
        self.unimplemented = channel.unary_unary(SERVICE + "UnimplementedCall")
        self.nowhere = channel.unary_unary("/grpc.testing.UnimplementedService/UnimplementedCall")


class Requests:
    """What is said on a stream, one by one as the case wants it."""

    def __init__(self):
        self.ready = threading.Semaphore(0)
        self.waiting = []

    def say(self, request):
        self.waiting.append(request)
        self.ready.release()

    def __iter__(self):
        return self

    def __next__(self):
        self.ready.acquire()
        request = self.waiting.pop(0)
        if request is None:
            raise StopIteration
        return request


def empty_unary(stub):
    expect(stub.empty(b"", timeout=WAIT), b"", "response")


def large_unary(stub):
    request = simple_request(LARGE_RESPONSE, LARGE_REQUEST)
    expect(body_size(stub.unary(request, timeout=WAIT)), LARGE_RESPONSE, "size")


def client_streaming(stub):
    requests = (message(1, payload(size)) for size in REQUEST_SIZES)
    expect(fields(stub.input(requests, timeout=WAIT)).get(1), sum(REQUEST_SIZES), "size")


def server_streaming(stub):
    request = b"".join(message(2, number(1, size)) for size in RESPONSE_SIZES)
    sizes = [body_size(response) for response in stub.output(request, timeout=WAIT)]
    expect(sizes, RESPONSE_SIZES, "sizes")


def ping_pong(stub):
    requests = Requests()
    responses = stub.duplex(requests, timeout=WAIT)
    for response_size, request_size in zip(RESPONSE_SIZES, REQUEST_SIZES):
        requests.say(streaming_request(response_size, request_size))
        expect(body_size(next(responses)), response_size, "size")
    requests.say(None)
    expect(list(responses), [], "rest")


def empty_stream(stub):
    expect(list(stub.duplex(iter([]), timeout=WAIT)), [], "responses")


def timeout_on_sleeping_server(stub):
    requests = Requests()
    requests.say(streaming_request(31415, 27182))
    fails(lambda: list(stub.duplex(requests, timeout=0.001)), grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.say(None)


def cancel_after_begin(stub):
    requests = Requests()
    call = stub.input.future(requests, timeout=WAIT)
    call.cancel()
    requests.say(None)
    expect(call.cancelled(), True, "cancelled")
    expect(call.code(), grpc.StatusCode.CANCELLED, "code")


def cancel_after_first_response(stub):
    requests = Requests()
    call = stub.duplex(requests, timeout=WAIT)
    requests.say(streaming_request(31415, 27182))
    expect(body_size(next(call)), 31415, "size")
    call.cancel()
    requests.say(None)
    fails(lambda: next(call), grpc.StatusCode.CANCELLED)


def says_status(stub, text):
    status = echo_status(2, text)
    fails(lambda: stub.unary(status, timeout=WAIT), grpc.StatusCode.UNKNOWN, text)


def status_code_and_message(stub):
    says_status(stub, "test status message")
    request = streaming_request(None, 0, echo_status(2, "test status message"))
    call = stub.duplex(iter([request]), timeout=WAIT)
    fails(lambda: list(call), grpc.StatusCode.UNKNOWN, "test status message")


def special_status_message(stub):
    says_status(stub, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")


def custom_metadata(stub):
    initial, trailing = "test_initial_metadata_value", b"\xab\xab\xab"
    metadata = (
        ("x-grpc-test-echo-initial", initial),
        ("x-grpc-test-echo-trailing-bin", trailing),
    )

    def check(call):
        expect(dict(call.initial_metadata()).get("x-grpc-test-echo-initial"), initial, "initial")
        trailers = dict(call.trailing_metadata())
        expect(trailers.get("x-grpc-test-echo-trailing-bin"), trailing, "trailing")

    request = simple_request(LARGE_RESPONSE, LARGE_REQUEST)
    _, call = stub.unary.with_call(request, timeout=WAIT, metadata=metadata)
    check(call)
    request = streaming_request(LARGE_RESPONSE, LARGE_REQUEST)
    call = stub.duplex(iter([request]), timeout=WAIT, metadata=metadata)
    list(call)
    check(call)


def unimplemented_method(stub):
    fails(lambda: stub.unimplemented(b"", timeout=WAIT), grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(stub):
    fails(lambda: stub.nowhere(b"", timeout=WAIT), grpc.StatusCode.UNIMPLEMENTED)


def main():
    where, name = sys.argv[1:]
    with grpc.insecure_channel(where) as channel:
        globals()[name](Stub(channel))


main()
