-t rpm
--category "Development/Tools"
-d "glibc >= 2.34" -d libgcc
# The certificates of https sites; versions, revisions and the private copy of a working tree.
-d ca-certificates -d git-core
# Debian's form of the licences, which lie in usr/share/licenses here.
--exclude usr/share/doc/packhouse/copyright
