"""A host's clock that can be stepped, while every other host's stays right.

Linux has one time of day for all namespaces. So the host's processes load a small library first, which adds an offset,
read from a file, to every time of day that they ask for. Time that only ever runs on (CLOCK_MONOTONIC) is the kernel's,
as it is when a real clock is stepped. Needs a C compiler.
"""

import struct
import subprocess

from tests.system.hosts import Host

LIBRARY, OFFSET = "/tmp/clock.so", "/tmp/clock"  # as the host sees them
SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t zero;
static volatile int64_t *offset = &zero;

__attribute__((constructor)) static void open_offset(void) {
    int file = open("OFFSET", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    void *seen = mmap(0, sizeof zero, PROT_READ, MAP_SHARED, file, 0);
    if (seen != MAP_FAILED) offset = seen;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    int failed = syscall(SYS_gettimeofday, now, zone);
    if (!failed && now) now->tv_sec += *offset;
    return failed;
}

time_t time(time_t *place) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place) *place = now.tv_sec;
    return now.tv_sec;
}
"""


def give(hosts: list[Host]) -> dict[str, str]:
    """Let hosts have a clock of their own; the environment in which their processes read it."""
    for host in hosts:
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O2", "-x", "c", "-", "-o", str(host.path(LIBRARY))],
            input=SOURCE.replace("OFFSET", OFFSET), text=True, check=True,
        )  # fmt: skip
        host.path(OFFSET).write_bytes(struct.pack("q", 0))
    return {"LD_PRELOAD": LIBRARY, "RAY_LD_PRELOAD_ON_WORKERS": "1"}


def step(host: Host, seconds: int) -> None:
    """Put a host's clock so far before or behind the others'; at 0 it is right."""
    with host.path(OFFSET).open("r+b") as file:  # processes have mapped this very file
        file.write(struct.pack("q", seconds))
