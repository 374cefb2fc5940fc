/*
 * Sends GET requests at the times of a fixed schedule, whatever becomes of the ones before, and
 * measures each answer from the time at which its request was due: a slow answer delays no request
 * and hides none ("open loop", without coordinated omission). In C, because a client that collects
 * garbage, or wakes only every millisecond, would measure itself.
 *
 * open-loop PORT PATH RATE SECONDS CONNECTIONS  ->  one line of JSON, times in microseconds
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define READ_BYTES 65536
#define DRAIN_NS 2000000000LL

struct connection {
  int64_t due_ns; /* of the request in flight; 0: idle */
  char head[READ_BYTES];
  size_t head_bytes;
  int64_t body_left; /* -1: the head has not ended */
};

static struct connection *connections;
static struct pollfd polled[CONNECTIONS_MAX];
static int idle[CONNECTIONS_MAX], idle_count;
static int64_t *latencies, done_count, error_count;

static int64_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void open_connection(int index, int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  polled[index] = (struct pollfd){.fd = fd, .events = POLLIN};
  connections[index].body_left = -1;
  idle[idle_count++] = index;
}

static void answer_ended(int index, int64_t at_ns) {
  struct connection *one = &connections[index];
  if (strncmp(one->head, "HTTP/1.1 200", 12) != 0) error_count++;
  latencies[done_count++] = at_ns - one->due_ns;
  one->due_ns = 0;
  one->head_bytes = 0;
  one->body_left = -1;
  idle[idle_count++] = index;
}

/* What one connection has to read; a connection that ends is an error, and used no more. */
static void read_answer(int index) {
  struct connection *one = &connections[index];
  char *into = one->head + (one->body_left < 0 ? one->head_bytes : 0);
  size_t room = READ_BYTES - 1 - (one->body_left < 0 ? one->head_bytes : 0);
  ssize_t got = recv(polled[index].fd, into, room, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    error_count++;
    polled[index].events = 0;
    polled[index].fd = -1;
    return;
  }
  if (one->body_left < 0) {
    one->head_bytes += got;
    one->head[one->head_bytes] = 0;
    char *end = strstr(one->head, "\r\n\r\n");
    if (end == NULL) return;
    char *length = strcasestr(one->head, "\r\ncontent-length:");
    int64_t body_bytes = length == NULL ? 0 : atoll(length + 17);
    one->body_left = body_bytes - (int64_t)(one->head + one->head_bytes - (end + 4));
  } else {
    one->body_left -= got;
  }
  if (one->body_left <= 0) answer_ended(index, now_ns());
}

static int compare(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return a < b ? -1 : a > b;
}

static double at_percent(double percent) {
  int64_t at = (int64_t)(done_count * percent / 100.0);
  return done_count == 0 ? 0 : latencies[at < done_count ? at : done_count - 1] / 1000.0;
}

int main(int count, char **words) {
  if (count != 6) return 2;
  int port = atoi(words[1]), connection_count = atoi(words[5]);
  double rate = atof(words[3]);
  int64_t total = (int64_t)(rate * atof(words[4])), sent = 0;
  if (connection_count < 1 || connection_count > CONNECTIONS_MAX || total < 1) return 2;
  char request[512];
  int request_bytes = snprintf(request, sizeof request,
                               "GET %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n\r\n", words[2], port);
  connections = calloc(connection_count, sizeof *connections);
  latencies = calloc(total, sizeof *latencies);
  if (connections == NULL || latencies == NULL) fail("calloc");
  prctl(PR_SET_TIMERSLACK, 1);
  for (int index = 0; index < connection_count; index++) open_connection(index, port);

  int64_t start_ns = now_ns(), late_max_ns = 0;
  int64_t end_ns = start_ns + (int64_t)(total / rate * 1e9) + DRAIN_NS;
  while (done_count + error_count < total) {
    int64_t at_ns = now_ns(), next_ns = end_ns;
    if (at_ns > end_ns) break;
    while (sent < total) {
      int64_t due_ns = start_ns + (int64_t)(sent / rate * 1e9);
      next_ns = due_ns;
      if (due_ns > at_ns || idle_count == 0) break;
      int index = idle[--idle_count];
      connections[index].due_ns = due_ns;
      if (send(polled[index].fd, request, request_bytes, MSG_NOSIGNAL) != request_bytes) {
        error_count++;
      }
      if (at_ns - due_ns > late_max_ns) late_max_ns = at_ns - due_ns;
      sent++;
    }
    if (sent == total || idle_count == 0) next_ns = end_ns;
    int64_t wait_ns = next_ns - now_ns();
    if (wait_ns < 0) wait_ns = 0;
    struct timespec wait = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    if (ppoll(polled, connection_count, &wait, NULL) <= 0) continue;
    for (int index = 0; index < connection_count; index++) {
      if (polled[index].revents != 0) read_answer(index);
    }
  }
  qsort(latencies, done_count, sizeof *latencies, compare);
  printf("{\"requests\":%ld,\"errors\":%ld,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f,"
         "\"lateMax\":%.1f}\n",
         (long)done_count, (long)(total - done_count + error_count), at_percent(50),
         at_percent(99), at_percent(99.9), at_percent(100), late_max_ns / 1000.0);
  return 0;
}
