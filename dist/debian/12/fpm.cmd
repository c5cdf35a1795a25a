-t deb
--category devel
-d "libc6 (>= 2.34)" -d libgcc-s1
# The certificates of https sites; versions, revisions and the private copy of a working tree.
-d ca-certificates -d git
# Debian Policy 12.5: licences are in usr/share/doc/packhouse/copyright.
--exclude usr/share/licenses
# Debian Policy 12.7: the changelog is usr/share/doc/packhouse/changelog.gz.
--deb-upstream-changelog CHANGELOG.md --exclude usr/share/doc/packhouse/CHANGELOG.md
