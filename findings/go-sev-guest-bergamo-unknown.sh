#!/usr/bin/env bash
# go-sev-guest knows no product line for Bergamo, Siena and Turin Dense, whose VCEKs are those of Genoa and Turin.
#
# A report of version 3 or later states the CPUID family, model and stepping of its processor. Bergamo and Siena (family
# 0x19, model 0xa0) have Genoa's certificate chain, Turin Dense (family 0x1a, model 0x11) has Turin's. go-sev-guest 0.15.0
# calls all of them "Unknown", and its address of the chain of such a processor is .../vcek/v1/Unknown/cert_chain.
#
# Seen: golang-github-google-go-sev-guest-dev 0.15.0-1 of Debian sid, compiled by Go 1.19.8 with the libraries of Debian 12.
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
index=$(apt-get update --print-uris | sed -n "s#^'\(\S*/debian\)/dists/\([a-z]*\)/InRelease'.*#\1 \2#p" | head -n 1)
read -r mirror release <<< "$index"
cd "$folder"
mkdir -p state/lists/partial cache/archives/partial unpacked
touch status
for suite in sid "$release"; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
done > sources.list
apt_here=(
    apt-get -qq -o APT::Sandbox::User=root -o Acquire::Languages=none -o Dir::Etc::SourceList="$folder/sources.list"
    -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$folder/state" -o Dir::State::Status="$folder/status"
    -o Dir::Cache="$folder/cache"
)
"${apt_here[@]}" update
"${apt_here[@]}" download golang-github-google-go-sev-guest-dev=0.15.0-1 golang-github-google-logger-dev/sid \
    golang-github-google-uuid-dev/"$release" golang-go.uber-multierr-dev/"$release" golang-go.uber-atomic-dev/"$release" \
    golang-google-protobuf-dev/"$release" golang-golang-x-crypto-dev/"$release" golang-golang-x-sys-dev/"$release"
for package in *.deb; do dpkg-deb --extract "$package" unpacked; done
export GO111MODULE=off GOPATH="$folder/unpacked/usr/share/gocode" GOCACHE="$folder/go-cache"
mkdir program
cat > program/main.go <<'GO'
package main

import (
	"fmt"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/kds"
)

func main() {
	for _, one := range []struct {
		name          string
		family, model byte
	}{{"Genoa", 0x19, 0x11}, {"Bergamo", 0x19, 0xa0}, {"Turin", 0x1a, 0x02}, {"Turin Dense", 0x1a, 0x11}} {
		line := kds.ProductLine(abi.SevProductFromCpuid1Eax(abi.FmsToCpuid1Eax(one.family, one.model, 1)))
		fmt.Printf("%s: %s %s\n", one.name, line, kds.ProductCertChainURL(abi.VcekReportSigner, line))
	}
}
GO
found=$(go run ./program)
echo "$found"
kds=https://kdsintf.amd.com/vcek/v1
[ "$found" = "Genoa: Genoa $kds/Genoa/cert_chain
Bergamo: Unknown $kds/Unknown/cert_chain
Turin: Turin $kds/Turin/cert_chain
Turin Dense: Unknown $kds/Unknown/cert_chain" ]
