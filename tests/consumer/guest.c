/* A program that starts no process by yunta, only shares a lock with those that it forks itself: linked statically, it
 * has what of the library notices that they die.
 * It must not call anything that brings that along anyway.
 * Read next: run. */
#include <yunta/yunta.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    yunta_lock *lock;
    if (yunta_lock_create(&lock) < 0)
        return 1;
    pid_t child = fork();
    if (child == 0)
        return yunta_lock_acquire(lock, YUNTA_FOREVER) == 0 ? raise(SIGKILL) : 1;
    if (waitpid(child, NULL, 0) != child)
        return 1;
    int r = yunta_lock_acquire(lock, 10000);
    printf("the next owner is told: %s\n", yunta_error_name(r));
    return r == -EOWNERDEAD ? 0 : 1;
}
