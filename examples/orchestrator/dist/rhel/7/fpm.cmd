-t rpm
--category "Applications/System"
# What the Erlang run time of the Dockerfile links against. No libstdc++: this compiler makes no Erlang JIT.
-d "glibc >= 2.17" -d libgcc -d ncurses-libs -d zlib -d "openssl-libs >= 1:1.0.2"
# The certificates that https monitors are checked against; useradd; the service.
-d ca-certificates -d shadow-utils -d systemd
