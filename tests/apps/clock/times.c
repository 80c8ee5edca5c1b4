/* Reads the time of day in every way that C knows, waits for absolute deadlines in every way, and prints what it saw.
 * Built with glibc and with musl, static and not; it takes nothing from either that the other lacks. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AHEAD_NS 50000000LL

static long long monotonic(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void day(const char *what, time_t seconds) {
    char text[32];
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%F", &tm);
    printf("%s %s\n", what, text);
}

static struct timespec ahead(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += AHEAD_NS;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void waited(const char *what, long long began, int error, int expect) {
    long long passed = monotonic() - began;
    if (error == expect && passed >= AHEAD_NS - 1000000)
        printf("%s waited\n", what);
    else
        printf("%s: error %d after %lld us\n", what, error, passed / 1000);
}

static void readings(void) {
    struct timespec t;
    struct timeval v;
    time_t s;
    day("time", time(NULL));
    gettimeofday(&v, NULL), day("gettimeofday", v.tv_sec);
    clock_gettime(CLOCK_REALTIME, &t), day("clock_gettime", t.tv_sec);
    clock_gettime(CLOCK_REALTIME_COARSE, &t), day("coarse", t.tv_sec);
    clock_gettime(CLOCK_TAI, &t), day("tai", t.tv_sec);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &t), day("direct clock_gettime", t.tv_sec);
    syscall(SYS_gettimeofday, &v, NULL), day("direct gettimeofday", v.tv_sec);
    day("direct time", syscall(SYS_time, &s));
    if (syscall(SYS_clock_gettime, CLOCK_REALTIME, NULL) != -1 || errno != EFAULT) printf("nothing is written to\n");
    if (syscall(SYS_clock_gettime, CLOCK_REALTIME, (void *)8) != -1 || errno != EFAULT) printf("a bad address is taken\n");
    if (clock_settime(CLOCK_REALTIME, &t) != -1 || errno != EPERM) printf("the machine's clock can be set\n");
}

static void deadlines(void) {
    struct timespec until;
    long long began;
    int error;

    until = ahead(), began = monotonic();
    error = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
    waited("clock_nanosleep", began, error, 0);

    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&mutex);
    until = ahead(), began = monotonic();
    do error = pthread_cond_timedwait(&cond, &mutex, &until);
    while (error == 0);
    waited("pthread_cond_timedwait", began, error, ETIMEDOUT);
    /* The same deadline once more is over already. */
    if (pthread_cond_timedwait(&cond, &mutex, &until) != ETIMEDOUT) printf("a deadline came back\n");

    sem_t sem;
    sem_init(&sem, 0, 0);
    until = ahead(), began = monotonic();
    error = sem_timedwait(&sem, &until) ? errno : 0;
    waited("sem_timedwait", began, error, ETIMEDOUT);

    int word = 1;
    until = ahead(), began = monotonic();
    error = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, &until, NULL, ~0u) ? errno : 0;
    waited("futex", began, error, ETIMEDOUT);

    struct itimerspec timer = {.it_value = ahead()};
    uint64_t count;
    int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
    began = monotonic();
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &timer, NULL);
    error = read(fd, &count, sizeof count) != sizeof count;
    waited("timerfd", began, error, 0);
    close(fd);

    char name[32], message[8192];
    snprintf(name, sizeof name, "/reel-clock-%d", getpid());
    mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, NULL);
    mq_unlink(name);
    until = ahead(), began = monotonic();
    error = mq_timedreceive(queue, message, sizeof message, NULL, &until) < 0 ? errno : 0;
    waited("mq_timedreceive", began, error, ETIMEDOUT);

    /* Of another clock: the machine's own. */
    struct itimerspec other = {0};
    clock_gettime(CLOCK_MONOTONIC, &other.it_value);
    other.it_value.tv_sec += 1;
    fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &other, NULL);
    timerfd_gettime(fd, &other);
    printf("monotonic timerfd %s\n", other.it_value.tv_sec == 0 || other.it_value.tv_sec == 1 ? "is ahead" : "is lost");
}

static void *thread(void *argument) {
    day("thread", time(NULL));
    return argument;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1) {
        day(argv[1], time(NULL));
        return 0;
    }
    readings();
    deadlines();
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    if (fork() == 0) {
        day("child", time(NULL));
        _exit(0);
    }
    wait(NULL);
    if (vfork() == 0) {
        execl("/proc/self/exe", "times", "program", NULL);
        _exit(1);
    }
    wait(NULL);
    return 0;
}
