/* A program of 32 bits without a library: reads the time by each system call that it has, and sleeps until a deadline. */
typedef struct { int seconds, part; } Narrow;
typedef struct { long long seconds, part; } Wide;

static int call(int number, const void *a, const void *b, const void *c, const void *d) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    return result;
}

static void say(const char *what, long long seconds) {
    char text[64], *end = text + sizeof text, *at = end;
    unsigned days = (unsigned)seconds / 86400;
    *--at = '\n';
    do *--at = '0' + days % 10;
    while (days /= 10);
    *--at = ' ';
    const char *from = what;
    while (*from) from++;
    while (from > what) *--at = *--from;
    call(4, (void *)1, at, (void *)(end - at), 0);
}

void _start(void) {
    static Narrow narrow, before, after;
    static Wide wide;
    say("time", call(13, 0, 0, 0, 0));
    call(78, &narrow, 0, 0, 0), say("gettimeofday", narrow.seconds);
    call(265, 0, &narrow, 0, 0), say("clock_gettime", narrow.seconds);
    call(403, 0, &wide, 0, 0), say("clock_gettime64", wide.seconds);
    narrow.seconds += 1;
    call(265, (void *)1, &before, 0, 0);
    int error = call(267, 0, (void *)1, &narrow, 0);
    call(265, (void *)1, &after, 0, 0);
    int passed_ms = (after.seconds - before.seconds) * 1000 + (after.part - before.part) / 1000000;
    say(error == 0 && passed_ms >= 990 ? "waited" : "did not wait", 0);
    call(1, 0, 0, 0, 0);
}
