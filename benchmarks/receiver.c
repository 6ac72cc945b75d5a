/* A receiver that costs little: one process, epoll, and the same answer to every request after a delay.

       receiver PORT [DELAY_SECONDS [HOSTS]]

   It listens at 127.0.0.1 and so many addresses from there on. A number on standard input asks when so many requests
   have come: as soon as they have, it prints the second of CLOCK_MONOTONIC at which the last of them was whole. An empty
   line ends it: it prints how many requests and connections there were. What has no Content-Length has no body. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 262144
#define EVENTS 256

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK";

struct connection {
    char *buffer;
    size_t filled;
    unsigned opened; /* tells one connection of a descriptor from the next */
};

struct answer {
    double due;
    int descriptor;
    unsigned opened;
};

static struct connection *connections;
static struct answer *later; /* a ring: the delay is the same for all, so what came first is due first */
static size_t first, waiting, ring = 1024;
static int last_listener, poller;
static unsigned opened;
static unsigned long requests, asked, room;
static double *came; /* when each request was whole */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event))
        fail("epoll_ctl");
}

static int listen_at(int place, int port)
{
    int descriptor = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + place);
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) || listen(descriptor, 1024))
        fail("listen");
    watch(descriptor);
    return descriptor;
}

static void note_request(void)
{
    if (requests == room && !(came = realloc(came, (room = room ? 2 * room : 1024) * sizeof *came)))
        fail("realloc");
    came[requests++] = now();
}

static void say_when_asked(void)
{
    if (asked && requests >= asked) {
        printf("%.9f\n", came[asked - 1]);
        fflush(stdout);
        asked = 0;
    }
}

/* Returns whether that is all. */
static int read_question(void)
{
    char line[32];
    ssize_t count = read(STDIN_FILENO, line, sizeof line - 1);
    line[count < 0 ? 0 : count] = 0;
    asked = strtoul(line, NULL, 10);
    return !asked;
}

static void answer(int descriptor)
{
    if (send(descriptor, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
        fail("send");
}

static void answer_later(int descriptor, double delay)
{
    if (waiting == ring) {
        struct answer *wider = malloc(2 * ring * sizeof *wider);
        for (size_t place = 0; place < waiting; place++)
            wider[place] = later[(first + place) % ring];
        free(later);
        later = wider, first = 0, ring *= 2;
    }
    later[(first + waiting++) % ring] = (struct answer){now() + delay, descriptor, connections[descriptor].opened};
}

/* The length of the first whole request in the buffer; 0 where there is none yet. */
static size_t whole_request(const struct connection *from)
{
    char *end = memmem(from->buffer, from->filled, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t length = end + 4 - from->buffer;
    *end = 0;
    char *named = strcasestr(from->buffer, "content-length:");
    if (named)
        length += strtoul(named + 15, NULL, 10);
    *end = '\r';
    return length <= from->filled ? length : 0;
}

static void read_from(int descriptor, double delay)
{
    struct connection *from = &connections[descriptor];
    ssize_t count = recv(descriptor, from->buffer + from->filled, BUFFER - from->filled, 0);
    if (count <= 0) {
        close(descriptor);
        from->opened = 0;
        return;
    }
    from->filled += count;
    for (size_t length; (length = whole_request(from));) {
        note_request();
        memmove(from->buffer, from->buffer + length, from->filled -= length);
        delay > 0 ? answer_later(descriptor, delay) : answer(descriptor);
    }
}

static void accept_from(int listener)
{
    int descriptor = accept(listener, NULL, NULL), yes = 1;
    if (descriptor < 0)
        fail("accept");
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct connection *from = &connections[descriptor];
    if (!from->buffer && !(from->buffer = malloc(BUFFER)))
        fail("malloc");
    from->filled = 0;
    from->opened = ++opened;
    watch(descriptor);
}

/* Send what is due, and sleep until the next is, or until something comes: to the microsecond, not to the millisecond. */
static void answer_due_and_wait(void)
{
    for (double time = now(); waiting; waiting--, first = (first + 1) % ring) {
        const struct answer *next = &later[first];
        if (next->due > time) {
            struct pollfd any = {.fd = poller, .events = POLLIN};
            struct timespec pause = {.tv_nsec = (next->due - time) * 1e9};
            pause.tv_sec = pause.tv_nsec / 1000000000, pause.tv_nsec %= 1000000000;
            ppoll(&any, 1, &pause, NULL);
            return;
        }
        if (connections[next->descriptor].opened == next->opened)
            answer(next->descriptor);
    }
}

int main(int count, char **words)
{
    int port = count > 1 ? atoi(words[1]) : 0, hosts = count > 3 ? atoi(words[3]) : 1;
    double delay = count > 2 ? atof(words[2]) : 0;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    connections = calloc(files.rlim_max, sizeof *connections);
    later = malloc(ring * sizeof *later);
    poller = epoll_create1(0);
    watch(STDIN_FILENO);
    for (int place = 0; place < hosts; place++)
        last_listener = listen_at(place, port);

    struct epoll_event events[EVENTS];
    for (;;) {
        answer_due_and_wait();
        int found = epoll_wait(poller, events, EVENTS, waiting ? 0 : -1);
        for (int place = 0; place < found; place++) {
            int descriptor = events[place].data.fd;
            if (descriptor == STDIN_FILENO) {
                if (read_question()) {
                    printf("%lu %u\n", requests, opened);
                    return 0;
                }
            } else {
                descriptor <= last_listener ? accept_from(descriptor) : read_from(descriptor, delay);
            }
        }
        say_when_asked();
    }
}
