/* Traces a child that becomes `date`, as a debugger does. */
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execlp("date", "date", "-u", "+%Y", NULL);
        _exit(127);
    }
    int status, stops = 0;
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        stops++;
        ptrace(PTRACE_CONT, child, 0, 0);
    }
    printf("stops %d, code %d\n", stops, WEXITSTATUS(status));
    return 0;
}
