-t rpm
--category "Applications/System"
# What the Erlang run time of the Dockerfile links against.
-d "glibc >= 2.28" -d libgcc -d libstdc++ -d ncurses-libs -d zlib -d "openssl-libs >= 1:1.1.1"
# The certificates that https monitors are checked against; useradd; the service.
-d ca-certificates -d shadow-utils -d systemd
