-t deb
--category net
# What the Erlang run time of the Dockerfile links against.
-d "libc6 (>= 2.31)" -d "libstdc++6 (>= 9)" -d libgcc-s1 -d libtinfo6 -d zlib1g -d "libssl1.1 (>= 1.1.1)"
# The certificates that https monitors are checked against; useradd.
-d ca-certificates -d passwd
