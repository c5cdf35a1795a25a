-t deb
--category net
# What the Erlang run time and its crypto library link against; epmd wants libsystemd in Debian's build.
-d "libc6 (>= 2.34)" -d "libstdc++6 (>= 11)" -d libgcc-s1 -d libtinfo6 -d zlib1g -d "libssl3 (>= 3.0.0)" -d libsystemd0
# The certificates that https monitors are checked against; useradd.
-d ca-certificates -d passwd
