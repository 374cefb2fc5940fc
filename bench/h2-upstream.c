/*
 * The bench's upstream over HTTP/2 with prior knowledge: answers every request of a port in the way
 * that was asked for at the start, once the request has ended. In C, and without a decoder of header
 * blocks, so that it is cheaper than what stands before it.
 *
 * h2-upstream PORT:KIND:BYTES:FRAME_BYTES...
 *   body  a response with a body of so many bytes
 *   grpc  the same as gRPC: a message, then trailers with the status
 * DATA frames have at most FRAME_BYTES bytes. Any mistake of a peer ends its connection.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFACE_BYTES 24
#define FRAME_HEAD_BYTES 9
#define FRAME_BYTES_MAX 16384
#define READ_BYTES (256 * 1024)
#define WRITE_BYTES (1024 * 1024)
/* What else than DATA may still be written once no more DATA is. */
#define WRITE_SPARE_BYTES (64 * 1024)
#define STREAMS_MAX 1024 /* a power of two: ids are kept at their place modulo this */
#define WINDOW_BYTES (64 * 1024 * 1024)
#define DEFAULT_WINDOW_BYTES 65535
#define EVENTS_MAX 64

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
enum { SETTING_TABLE_SIZE = 1, SETTING_STREAMS = 3, SETTING_WINDOW = 4 };
enum field { CONTENT_TYPE, CONTENT_LENGTH, GRPC_STATUS, FIELDS };

struct port {
  int fd, is_grpc;
  uint32_t body_bytes, frame_bytes;
  char length_text[12];
};

struct stream {
  uint32_t id; /* 0: nobody */
  int64_t window_delta; /* to the connection's initial window */
  int is_answered;
  uint32_t left;
};

struct connection {
  int fd, wants_write, has_preface;
  const struct port *port;
  int64_t window, initial_window;
  uint32_t received; /* of DATA, not yet given back to the peer */
  uint32_t blocked;  /* answers that could not be written in full */
  int inserted, inserted_at[FIELDS]; /* the dynamic table: -1 for what is not in it */
  struct stream streams[STREAMS_MAX];
  size_t in_bytes, out_start, out_end;
  uint8_t in[READ_BYTES], out[WRITE_BYTES];
};

static int poll_fd;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint32_t read32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void write32(uint8_t *at, uint32_t value) {
  at[0] = value >> 24, at[1] = value >> 16, at[2] = value >> 8, at[3] = value;
}

static uint8_t *frame(struct connection *one, int type, int flags, uint32_t id, uint32_t bytes) {
  uint8_t *head = one->out + one->out_end;
  one->out_end += FRAME_HEAD_BYTES + bytes;
  head[0] = bytes >> 16, head[1] = bytes >> 8, head[2] = bytes;
  head[3] = type, head[4] = flags;
  write32(head + 5, id);
  return head + FRAME_HEAD_BYTES;
}

static uint8_t *put_text(uint8_t *at, const char *text) {
  size_t bytes = strlen(text);
  *at++ = bytes;
  memcpy(at, text, bytes);
  return at + bytes;
}

/* A field as servers write it: in full the first time, as its place in the dynamic table later. */
static uint8_t *put_field(struct connection *one, uint8_t *at, enum field name, const char *value) {
  static const int static_index[FIELDS] = {31, 28, 0};
  if (one->inserted_at[name] >= 0) {
    *at++ = 0x80 | (62 + one->inserted - 1 - one->inserted_at[name]);
    return at;
  }
  one->inserted_at[name] = one->inserted++;
  *at++ = 0x40 | static_index[name];
  if (static_index[name] == 0) at = put_text(at, "grpc-status");
  return put_text(at, value);
}

static void write_fields(struct connection *one, uint32_t id, int flags, const uint8_t *block,
                         const uint8_t *end) {
  memcpy(frame(one, HEADERS, flags | END_HEADERS, id, end - block), block, end - block);
}

/* As much of an answer as windows and the buffer take. */
static void answer(struct connection *one, struct stream *stream) {
  const struct port *port = one->port;
  uint8_t block[128], *at = block;
  if (!stream->is_answered) {
    *at++ = 0x88; /* :status 200 */
    at = put_field(one, at, CONTENT_TYPE, port->is_grpc ? "application/grpc" : "text/plain");
    if (!port->is_grpc) at = put_field(one, at, CONTENT_LENGTH, port->length_text);
    write_fields(one, stream->id, 0, block, at);
    stream->is_answered = 1;
    stream->left = port->body_bytes;
    one->blocked++;
  }
  while (stream->left > 0) {
    int64_t room = one->initial_window + stream->window_delta;
    if (room > one->window) room = one->window;
    if (room > port->frame_bytes) room = port->frame_bytes;
    if (room > stream->left) room = stream->left;
    if (room <= 0 || one->out_end + room > WRITE_BYTES - WRITE_SPARE_BYTES) return;
    stream->left -= room;
    stream->window_delta -= room;
    one->window -= room;
    int is_last = stream->left == 0 && !port->is_grpc;
    /* The bytes of the buffer are never looked at, and are zero or an older answer's. */
    uint8_t *data = frame(one, DATA, is_last ? END_STREAM : 0, stream->id, room);
    memset(data, 0, 5);
  }
  if (port->is_grpc) {
    write_fields(one, stream->id, END_STREAM, block, put_field(one, block, GRPC_STATUS, "0"));
  }
  stream->id = 0;
  one->blocked--;
}

static void answer_blocked(struct connection *one) {
  if (one->blocked == 0) return;
  for (int at = 0; at < STREAMS_MAX && one->blocked > 0; at++) {
    struct stream *stream = &one->streams[at];
    if (stream->id != 0 && stream->is_answered) answer(one, stream);
  }
}

static struct stream *find(struct connection *one, uint32_t id) {
  struct stream *stream = &one->streams[id / 2 % STREAMS_MAX];
  return stream->id == id ? stream : NULL;
}

static int read_settings(struct connection *one, const uint8_t *at, uint32_t bytes) {
  for (; bytes >= 6; at += 6, bytes -= 6) {
    uint32_t name = at[0] << 8 | at[1], value = read32(at + 2);
    if (name == SETTING_WINDOW) one->initial_window = value;
    /* A smaller table than the default would have to be announced, and is asked for by nobody here. */
    if (name == SETTING_TABLE_SIZE && value < 4096) return -1;
  }
  frame(one, SETTINGS, ACK, 0, 0);
  answer_blocked(one);
  return 0;
}

static void consume(struct connection *one, uint32_t bytes) {
  one->received += bytes;
  if (one->received < WINDOW_BYTES / 2) return;
  write32(frame(one, WINDOW_UPDATE, 0, 0, 4), one->received);
  one->received = 0;
}

/* One frame; -1 ends the connection. */
static int read_frame(struct connection *one, int type, int flags, uint32_t id, const uint8_t *at,
                      uint32_t bytes) {
  struct stream *stream = find(one, id);
  switch (type) {
    case HEADERS:
      /* Blocks that go on in a second frame are longer than any that the bench has. */
      if (!(flags & END_HEADERS)) return -1;
      if (stream == NULL) {
        stream = &one->streams[id / 2 % STREAMS_MAX];
        if (stream->id != 0) return -1;
        *stream = (struct stream){.id = id};
      }
      if (flags & END_STREAM) answer(one, stream);
      return 0;
    case DATA:
      consume(one, bytes);
      if (stream != NULL && (flags & END_STREAM)) answer(one, stream);
      return 0;
    case RST_STREAM:
      if (stream == NULL) return 0;
      if (stream->is_answered) one->blocked--;
      stream->id = 0;
      return 0;
    case SETTINGS:
      return flags & ACK ? 0 : read_settings(one, at, bytes);
    case PING:
      if (!(flags & ACK)) memcpy(frame(one, PING, ACK, 0, 8), at, 8);
      return 0;
    case WINDOW_UPDATE:
      if (id == 0) one->window += read32(at);
      else if (stream != NULL) stream->window_delta += read32(at);
      answer_blocked(one);
      return 0;
    case CONTINUATION:
    case PUSH_PROMISE:
      return -1;
    default:
      return 0;
  }
}

/* All frames that have come in full, as far as there is room for what they ask for. */
static int read_frames(struct connection *one) {
  size_t at = 0;
  if (!one->has_preface) {
    if (one->in_bytes < PREFACE_BYTES) return 0;
    if (memcmp(one->in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", PREFACE_BYTES) != 0) return -1;
    one->has_preface = 1;
    at = PREFACE_BYTES;
  }
  while (one->in_bytes - at >= FRAME_HEAD_BYTES && one->out_end < WRITE_BYTES - FRAME_BYTES_MAX) {
    const uint8_t *head = one->in + at;
    uint32_t bytes = head[0] << 16 | head[1] << 8 | head[2];
    if (bytes > FRAME_BYTES_MAX) return -1;
    if (one->in_bytes - at < FRAME_HEAD_BYTES + bytes) break;
    uint32_t id = read32(head + 5) & 0x7fffffff;
    if (read_frame(one, head[3], head[4], id, head + FRAME_HEAD_BYTES, bytes) != 0) return -1;
    at += FRAME_HEAD_BYTES + bytes;
  }
  one->in_bytes -= at;
  memmove(one->in, one->in + at, one->in_bytes);
  return 0;
}

/* Writes what there is, and waits for room where the kernel takes no more. */
static int flush(struct connection *one) {
  while (one->out_start < one->out_end) {
    ssize_t sent = send(one->fd, one->out + one->out_start, one->out_end - one->out_start, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    if (sent <= 0) return -1;
    one->out_start += sent;
  }
  if (one->out_start == one->out_end) one->out_start = one->out_end = 0;
  int wants_write = one->out_end > 0;
  if (wants_write != one->wants_write) {
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.ptr = one};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, one->fd, &event);
    one->wants_write = wants_write;
  }
  return 0;
}

static int serve(struct connection *one, uint32_t events) {
  /* A full buffer waits until the answers before it have left. */
  if (one->in_bytes < READ_BYTES && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
    ssize_t got = recv(one->fd, one->in + one->in_bytes, READ_BYTES - one->in_bytes, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return -1;
    if (got > 0) one->in_bytes += got;
  }
  /* What found no room to write is tried again as long as the kernel takes all there is. */
  do {
    if (flush(one) != 0) return -1;
    if (one->out_end == 0) answer_blocked(one);
    if (read_frames(one) != 0) return -1;
  } while (!one->wants_write && one->out_end > 0);
  return 0;
}

static void accept_all(const struct port *port) {
  for (;;) {
    int on = 1, fd = accept4(port->fd, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *one = calloc(1, sizeof *one);
    if (one == NULL) fail("calloc");
    one->fd = fd, one->port = port;
    one->window = one->initial_window = DEFAULT_WINDOW_BYTES;
    for (int name = 0; name < FIELDS; name++) one->inserted_at[name] = -1;
    uint8_t *settings = frame(one, SETTINGS, 0, 0, 12);
    settings[1] = SETTING_STREAMS, write32(settings + 2, STREAMS_MAX);
    settings[7] = SETTING_WINDOW, write32(settings + 8, WINDOW_BYTES);
    write32(frame(one, WINDOW_UPDATE, 0, 0, 4), WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }
}

static struct port *open_port(const char *text) {
  struct port *port = calloc(1, sizeof *port);
  int number, on = 1;
  char kind[8];
  if (port == NULL) fail("calloc");
  if (sscanf(text, "%d:%7[a-z]:%u:%u", &number, kind, &port->body_bytes, &port->frame_bytes) != 4 ||
      port->frame_bytes < 5 || port->frame_bytes > FRAME_BYTES_MAX) {
    fprintf(stderr, "not PORT:KIND:BYTES:FRAME_BYTES: %s\n", text);
    exit(2);
  }
  port->is_grpc = strcmp(kind, "grpc") == 0;
  snprintf(port->length_text, sizeof port->length_text, "%u", port->body_bytes);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(number)};
  inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
  port->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(port->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(port->fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(port->fd, 4096) != 0) fail(text);
  return port;
}

int main(int count, char **words) {
  if (count < 2) return 2;
  int port_count = count - 1;
  struct port **ports = calloc(port_count, sizeof *ports);
  poll_fd = epoll_create1(0);
  if (ports == NULL || poll_fd < 0) fail("start");
  for (int at = 0; at < port_count; at++) {
    ports[at] = open_port(words[at + 1]);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = ports[at]};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, ports[at]->fd, &event) != 0) fail("epoll_ctl");
  }
  for (;;) {
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(poll_fd, events, EVENTS_MAX, -1);
    for (int at = 0; at < ready; at++) {
      void *which = events[at].data.ptr;
      int port_at = 0;
      while (port_at < port_count && ports[port_at] != which) port_at++;
      if (port_at < port_count) {
        accept_all(ports[port_at]);
      } else if (serve(which, events[at].events) != 0) {
        struct connection *one = which;
        close(one->fd);
        free(one);
      }
    }
  }
}
