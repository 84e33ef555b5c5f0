#!/bin/sh
# libfaketime 0.9.10, Python 3.11: with FAKETIME_DONT_FAKE_MONOTONIC time.sleep() raises OSError (EINVAL).
#
# Python 3.11 sleeps by clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME), which libfaketime intercepts. With the variable, that
# is documented to leave CLOCK_MONOTONIC as it is, the call ends with EINVAL.
# Without the variable the same program sleeps. So a daemon whose wall clock alone is to be stepped under a test fails at
# its first sleep; select.select() without descriptors, which takes a duration, goes on.
#
# Seen:
#   both clocks faked: slept; the wall clock alone: [Errno 22] Invalid argument; select there: slept
#
# Needs apt-get, dpkg and python3.11 or later; installs nothing. Ends with 1 where it behaves otherwise, with 77 where the
# package cannot be had.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd "$folder" && apt-get -qq download libfaketime=0.9.10-2.1 2>/dev/null) || exit 77
dpkg -x "$folder"/libfaketime_*.deb "$folder"
library=$(find "$folder" -name libfaketime.so.1)

try() { # STATEMENT [VARIABLE=VALUE]
	env ${2:+"$2"} LD_PRELOAD="$library" FAKETIME=+1h python3 -c "
import select, time
try:
    $1
except OSError as error:
    print(error)
else:
    print('slept')"
}

alone=FAKETIME_DONT_FAKE_MONOTONIC=1
seen="both clocks faked: $(try 'time.sleep(0.05)'); the wall clock alone: $(try 'time.sleep(0.05)' $alone)"
seen="$seen; select there: $(try 'select.select([], [], [], 0.05)' $alone)"
echo "$seen"
[ "$seen" = "both clocks faked: slept; the wall clock alone: [Errno 22] Invalid argument; select there: slept" ]
