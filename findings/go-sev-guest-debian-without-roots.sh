#!/usr/bin/env bash
# Debian's go-sev-guest cannot be compiled: the package lacks the AMD certificates that its own source embeds.
#
# verify/trust/trust.go has six //go:embed directives for PEM files with AMD's ASK and ARK of Milan, Genoa and Turin.
# golang-github-google-go-sev-guest-dev 0.15.0-1 installs trust.go without any of them. So whatever imports verify, or
# verify/trust, ends with "pattern ask_ark_genoa.pem: no matching files found"; abi and kds, which embed nothing, do not.
#
# Seen: golang-github-google-go-sev-guest-dev 0.15.0-1 of Debian sid, Go 1.19.8.
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mirror=$(apt-get update --print-uris | sed -n "s#^'\(\S*/debian\)/dists/[a-z]*/InRelease'.*#\1#p" | head -n 1)
cd "$folder"
mkdir -p state/lists/partial cache/archives/partial unpacked
touch status
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" > sources.list
of_sid=(
    apt-get -qq -o APT::Sandbox::User=root -o Acquire::Languages=none -o Dir::Etc::SourceList="$folder/sources.list"
    -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$folder/state" -o Dir::State::Status="$folder/status"
    -o Dir::Cache="$folder/cache"
)
"${of_sid[@]}" update
"${of_sid[@]}" download golang-github-google-go-sev-guest-dev=0.15.0-1
dpkg-deb --extract golang-github-google-go-sev-guest-dev_*.deb unpacked
export GO111MODULE=off GOPATH="$folder/unpacked/usr/share/gocode" GOCACHE="$folder/go-cache"
cd "$GOPATH/src/github.com/google/go-sev-guest"
echo "embedded by trust.go: $(sed -n 's#^\s*//go:embed ##p' verify/trust/trust.go | tr '\n' ' ')"
echo "PEM files in the package: $(find . -name '*.pem' | wc -l)"
found=$(go list -e -f '{{.Error}}' ./verify/trust)
echo "$found"
case $found in
*"pattern ask_ark_genoa.pem: no matching files found"*) ;;
*) echo "this has changed" >&2; exit 1 ;;
esac
[ "$(go list -e -f '{{.Error}}' ./kds)" = "<nil>" ]
